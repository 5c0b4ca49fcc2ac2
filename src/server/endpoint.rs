//! `POST /graphql`: from a request over HTTP to an answer over HTTP.
//!
//! Who asks is known before a byte of the body is read. One request is taken at a
//! time, by POST and as JSON only: whatever a browser would send for a stranger's
//! page is refused (the library's own service would execute it).

use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::{Name, Positioned, Request, Value};
use async_graphql_axum::GraphQLResponse;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use tracing::error;

use crate::app::{App, Caller};
use crate::graphql::{self, Schema};
use crate::server::body;
use crate::server::budget;
use crate::server::coercion::Types;
use crate::server::media::{self, Media};
use crate::server::refusal::Refusal;
use crate::server::request::{self, RequestId};

/// The code of requests whose document or variables cannot be used.
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";

struct Endpoint {
    app: App,
    schema: Schema,
    types: Types,
}

/// `/graphql`.
pub fn routes(app: App) -> Router {
    let schema = graphql::schema(app.clone());
    let types = Types::of_schema(&schema.sdl());
    let endpoint = Arc::new(Endpoint { app, schema, types });
    Router::new().route("/graphql", post(answer)).with_state(endpoint)
}

async fn answer(
    State(endpoint): State<Arc<Endpoint>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let media = media::negotiate(&headers).unwrap_or(Media::Json);
    match endpoint.respond(&headers, body).await {
        Ok(response) => executed(response, media, &id),
        Err(refusal) => refusal.answer(media, &id),
    }
}

impl Endpoint {
    async fn respond(&self, headers: &HeaderMap, body: Body) -> Result<async_graphql::Response, Refusal> {
        let caller = match self.admit(headers).await {
            Ok(caller) => caller,
            Err(refusal) => {
                body::drain(headers, body).await;
                return Err(refusal);
            }
        };
        let mut request = body::parse(&body::read(headers, body).await?)?;
        self.check(&mut request)?;
        let response = self.schema.execute(graphql::prepare(request, &self.app, caller)).await;
        if is_refused(&response) {
            return Err(Refusal::of_document(response.errors, INVALID));
        }
        Ok(response)
    }

    /// Looks at the headers alone. Strangers learn nothing but that they are strangers.
    async fn admit(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let Some(caller) = self.caller(headers).await? else {
            let message =
                "Give a valid API key as the user name of Basic authentication, with an empty password.";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message));
        };
        if media::negotiate(headers).is_none() {
            let message = "Accept application/graphql-response+json or application/json.";
            return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message));
        }
        if !media::is_json(headers) || !media::is_plain(headers) {
            let message = "Send the body as application/json in UTF-8, and not compressed.";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message));
        }
        Ok(caller)
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        let Some(authorization) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return Ok(None);
        };
        self.app.authenticate(authorization).await.map_err(|cause| {
            error!(error = format!("{cause:#}"), "a key could not be looked up");
            Refusal::internal()
        })
    }

    /// Parses the document and checks what the library does not.
    fn check(&self, request: &mut Request) -> Result<(), Refusal> {
        let document = parse_query(&request.query)
            .map_err(|error| Refusal::of_document(vec![error.into()], "GRAPHQL_PARSE_FAILED"))?;
        let invalid = |error| Refusal::of_document(vec![error], INVALID);
        budget::check(&document).map_err(invalid)?;
        if let Some((name, operation)) = selected(&document, request.operation_name.as_deref()) {
            request::name_operation(name.unwrap_or("anonymous"));
            self.types.check(&document, &operation.node, &mut request.variables).map_err(invalid)?;
        }
        request.set_parsed_query(document);
        Ok(())
    }
}

/// The operation that will be executed, if it is clear which.
fn selected<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<(Option<&'a str>, &'a Positioned<OperationDefinition>)> {
    let operations = document.operations.iter();
    let mut operations = operations.map(|(name, operation)| (name.map(Name::as_str), operation));
    match (&document.operations, name) {
        (DocumentOperations::Multiple(all), None) if all.len() > 1 => None,
        (_, None) => operations.next(),
        (_, Some(wanted)) => operations.find(|(name, _)| *name == Some(wanted)),
    }
}

/// Whether nothing was executed: errors of execution have a path.
fn is_refused(response: &async_graphql::Response) -> bool {
    let is_without_path = response.errors.iter().all(|error| error.path.is_empty());
    response.data == Value::Null && !response.errors.is_empty() && is_without_path
}

fn executed(mut response: async_graphql::Response, media: Media, id: &RequestId) -> Response {
    response.extensions.insert("requestId".to_owned(), id.to_string().into());
    let mut response = GraphQLResponse::from(response).into_response();
    response.headers_mut().insert(CONTENT_TYPE, media.content_type());
    response
}
