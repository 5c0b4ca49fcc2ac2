//! Requests that are refused as a whole, before anything was executed.
//!
//! The answer has the form of a GraphQL answer without `data`: what was wrong and
//! what would be right, a code, and the request id.

use async_graphql::{ErrorExtensionValues, ServerError};
use axum::Extension;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::server::media::Media;
use crate::server::request::RequestId;

/// How many errors of a document are told: thousands would help nobody.
const ERRORS: usize = 50;

/// Why a request was refused.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    errors: Vec<ServerError>,
}

impl Refusal {
    /// A refusal with one error.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let error = ServerError::new(message, None);
        Self { status, errors: vec![error] }.with_code(code)
    }

    /// A document or its variables cannot be executed (G2).
    pub fn of_document(mut errors: Vec<ServerError>, code: &str) -> Self {
        errors.truncate(ERRORS);
        Self { status: StatusCode::BAD_REQUEST, errors }.with_code(code)
    }

    /// The fault is ours, and its cause is in the log only.
    pub fn internal() -> Self {
        let message = "Something went wrong here. Whoever runs the server finds the cause by the request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", message)
    }

    /// Gives a code to the errors that have none.
    fn with_code(mut self, code: &str) -> Self {
        for error in &mut self.errors {
            let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
            if extensions.get("code").is_none() {
                extensions.set("code", code);
            }
        }
        self
    }

    /// The answer to the request.
    pub fn answer(self, media: Media, id: &RequestId) -> Response {
        let body = json!({ "errors": self.errors, "extensions": { "requestId": id.to_string() } });
        let mut response =
            (self.status, [(CONTENT_TYPE, media.content_type())], body.to_string()).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Basic realm="reprise", charset="UTF-8""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// What is answered where nothing is.
pub async fn not_found(Extension(id): Extension<RequestId>) -> Response {
    let message = "There is nothing at this path. The API is at /graphql.";
    Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", message).answer(Media::Json, &id)
}

/// What is answered to other methods than a path has; `Allow` names those.
pub async fn method_not_allowed(Extension(id): Extension<RequestId>) -> Response {
    let message = "This path does not take requests of this method; the header `allow` names those it takes.";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message).answer(Media::Json, &id)
}
