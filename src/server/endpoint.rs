//! `POST /graphql`: from a request over HTTP to an answer over HTTP.
//!
//! Who asks is known before a byte of the body is read. One request is taken at a
//! time, by POST and as JSON only: whatever a browser would send for a stranger's
//! page is refused (the library's own service would execute it).

use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::{Name, Positioned, Request, Response as Executed, Value};
use async_graphql_axum::GraphQLResponse;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::app::{App, Caller, Lane, Login, Toll};
use crate::error::report;
use crate::graphql::{self, Schema, codes};
use crate::server::coercion::Types;
use crate::server::connection::Peer;
use crate::server::media::{self, Media};
use crate::server::patience::Patience;
use crate::server::refusal::Refusal;
use crate::server::request::{self, RequestId};
use crate::server::{body, budget, forwarded, lane, rates, tally, tokens};

/// Longer bodies are not parsed on the threads that the delivery engine runs on, and few at a time.
const LONG: usize = 64 * 1_024;
const LONG_AT_A_TIME: usize = 2;

struct Endpoint {
    app: App,
    schema: Schema,
    types: Types,
    long: Semaphore,
}

/// `/graphql`.
pub fn routes(app: App) -> Router {
    let schema = graphql::schema(app.clone());
    let types = Types::of_schema(&schema.sdl());
    let endpoint = Arc::new(Endpoint { app, schema, types, long: Semaphore::new(LONG_AT_A_TIME) });
    Router::new().route("/graphql", post(answer)).with_state(endpoint)
}

async fn answer(
    State(endpoint): State<Arc<Endpoint>>,
    Extension(id): Extension<RequestId>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let media = media::negotiate(&headers).unwrap_or(Media::Json);
    let mut patience = Patience::full();
    let caller = match endpoint.admit(&headers, &peer, &mut patience).await {
        Ok(caller) => caller,
        Err(refusal) => {
            body::drain(&headers, body).await;
            return refusal.answer(media, &id);
        }
    };
    let toll = Toll::of(&endpoint.app, &caller.scope);
    let outcome = endpoint.respond(caller, &toll, &peer, patience, (&headers, body)).await;
    let rate_limit = toll.standing().as_ref().map(rates::extension);
    match outcome {
        Ok(executed) => executed_answer(executed, rate_limit, media, &id),
        Err(refusal) => {
            let mut extensions = json!({ "requestId": id.to_string() });
            if let Some(rate_limit) = rate_limit {
                extensions["rateLimit"] = rate_limit;
            }
            refusal.answer_with(&extensions, media)
        }
    }
}

impl Endpoint {
    /// Who asks. Strangers learn nothing but that they are strangers.
    async fn admit(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        patience: &mut Patience,
    ) -> Result<Caller, Refusal> {
        let login = match headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) {
            Some(authorization) => {
                let from = forwarded::client(peer.address, headers, &self.app.settings.door.proxies);
                let login = patience.wait(self.app.authenticate(authorization, from)).await?;
                login.map_err(|cause| {
                    report("a key could not be looked up", &cause);
                    Refusal::internal()
                })?
            }
            None => Login::Unknown,
        };
        match login {
            Login::Caller(caller) => Ok(caller),
            Login::Unknown => {
                let message =
                    "Give a valid API key as the user name of Basic authentication, with an empty password.";
                Err(Refusal::new(StatusCode::UNAUTHORIZED, codes::UNAUTHENTICATED, message))
            }
            Login::TooMany(wait) => {
                Err(Refusal::for_now("Too many logins have failed. Try again later.", wait))
            }
        }
    }

    async fn respond(
        &self,
        caller: Caller,
        toll: &Toll,
        peer: &Peer,
        mut patience: Patience,
        (headers, body): (&HeaderMap, Body),
    ) -> Result<Executed, Refusal> {
        let may_publish = caller.may_publish();
        let read = self.read(may_publish, peer, headers, body).await;
        let (mut request, length) = match read {
            Ok(read) => read,
            Err(refusal) => {
                toll.enter(Lane::Api).map_err(rates::refusal)?;
                return Err(refusal);
            }
        };
        self.check(&mut request, length, may_publish, toll)?;
        let request = graphql::prepare(request, &self.app, caller).data(toll.clone());
        let executed = patience.wait(self.schema.execute(request)).await?;
        if !is_refused(&executed) {
            return Ok(executed);
        }
        match toll.standing().and_then(|standing| standing.refused) {
            Some(refused) => Err(rates::refusal(refused)),
            None => Err(Refusal::of_document(executed.errors, codes::VALIDATION_FAILED)),
        }
    }

    /// The request in a body, and how long the body was.
    async fn read(
        &self,
        may_publish: bool,
        peer: &Peer,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Request, usize), Refusal> {
        if let Err(refusal) = check_media(headers) {
            body::drain(headers, body).await;
            return Err(refusal);
        }
        let limit = if may_publish { body::PUBLISHING_LIMIT } else { body::LIMIT };
        let waiting = peer.wait();
        let bytes = body::read(headers, body, limit, self.app.settings.door.patience.body).await?;
        drop(waiting);
        let length = bytes.len();
        if length <= LONG {
            return Ok((body::parse(&bytes)?, length));
        }
        let _turn = self.long.acquire().await;
        let parsed = tokio::task::spawn_blocking(move || body::parse(&bytes)).await;
        Ok((parsed.map_err(|_| Refusal::internal())??, length))
    }

    /// Parses the document and checks what the library does not. The request is counted before, in the
    /// lane that its text suggests, and once more if it turns out to be in the other.
    fn check(
        &self,
        request: &mut Request,
        length: usize,
        may_publish: bool,
        toll: &Toll,
    ) -> Result<(), Refusal> {
        let enter = |lane| toll.enter(lane).map_err(rates::refusal);
        let may_publish = may_publish && request.query.contains(lane::PUBLISH);
        enter(if may_publish { Lane::Publishing } else { Lane::Api })?;
        let document = parse(&request.query)?;
        let invalid = |error| Refusal::of_document(vec![error], codes::VALIDATION_FAILED);
        let (mut actual, mut events) = (Lane::Api, 0);
        if let Some((name, operation)) = selected(&document, request.operation_name.as_deref()) {
            request::name_operation(name.unwrap_or("anonymous"));
            self.types.check(&document, &operation.node, &mut request.variables).map_err(invalid)?;
            (actual, events) = lane::of(&document, &operation.node, &request.variables);
        }
        if may_publish && actual == Lane::Api {
            enter(Lane::Api)?;
        }
        if length > body::LIMIT && actual == Lane::Api {
            return Err(body::too_large(body::LIMIT));
        }
        toll.add_events(events);
        request.set_parsed_query(document);
        Ok(())
    }
}

fn check_media(headers: &HeaderMap) -> Result<(), Refusal> {
    if media::negotiate(headers).is_none() {
        let message = "Accept application/graphql-response+json or application/json.";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, codes::NOT_ACCEPTABLE, message));
    }
    if !media::is_json(headers) || !media::is_plain(headers) {
        let message = "Send the body as application/json in UTF-8, and not compressed.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refusal::new(status, codes::UNSUPPORTED_MEDIA_TYPE, message));
    }
    Ok(())
}

/// A document that the library can look at without harm.
fn parse(query: &str) -> Result<ExecutableDocument, Refusal> {
    let invalid = |error| Refusal::of_document(vec![error], codes::VALIDATION_FAILED);
    tokens::check(query).map_err(invalid)?;
    let document =
        parse_query(query).map_err(|error| Refusal::of_document(vec![error.into()], codes::PARSE_FAILED))?;
    tally::check(&document).map_err(invalid)?;
    budget::check(&document).map_err(invalid)?;
    Ok(document)
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
fn is_refused(response: &Executed) -> bool {
    let is_without_path = response.errors.iter().all(|error| error.path.is_empty());
    response.data == Value::Null && !response.errors.is_empty() && is_without_path
}

fn executed_answer(
    mut executed: Executed,
    rate_limit: Option<serde_json::Value>,
    media: Media,
    id: &RequestId,
) -> Response {
    executed.extensions.insert("requestId".to_owned(), id.to_string().into());
    if let Some(rate_limit) = rate_limit.and_then(|told| Value::from_json(told).ok()) {
        executed.extensions.insert("rateLimit".to_owned(), rate_limit);
    }
    let mut response = GraphQLResponse::from(executed).into_response();
    response.headers_mut().insert(CONTENT_TYPE, media.content_type());
    response
}
