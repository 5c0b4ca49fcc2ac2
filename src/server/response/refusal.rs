//! Requests that are refused as a whole, before anything was executed.
//!
//! The answer has the form of a GraphQL answer without `data`: what was wrong and
//! what would be right, a code, and the request id.

use std::time::Duration;

use async_graphql::ServerError;
use axum::Extension;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::graphql::codes;
use crate::graphql::errors::UNKNOWN;
use crate::graphql::limits::payload_budget::BUSY;
use crate::quota::ledger::Refused;
use crate::quota::memory::Full;
use crate::server::request::media::Media;
use crate::server::response::request_id::RequestId;

/// How many errors of a document are told: thousands would help nobody.
const ERRORS: usize = 50;

/// How many characters of a message are told. Those of the library repeat what they complain about.
const MESSAGE_CHARS: usize = 500;

/// After how long there may be room again.
pub(crate) const NO_ROOM: Duration = Duration::from_secs(1);

/// Why a request was refused.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    errors: Vec<ServerError>,
    retry_after: Option<Duration>,
    /// What is used up, if a rate is.
    rate: Option<Refused>,
}

impl Refusal {
    /// A refusal with one error.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let error = ServerError::new(message, None);
        Self { status, errors: vec![error], retry_after: None, rate: None }.with_code(code)
    }

    /// A document or its variables cannot be executed (G2).
    pub fn of_document(mut errors: Vec<ServerError>, code: &str) -> Self {
        errors.truncate(ERRORS);
        for error in &mut errors {
            shorten(&mut error.message);
        }
        Self { status: StatusCode::BAD_REQUEST, errors, retry_after: None, rate: None }.with_code(code)
    }

    /// There was too much of something, and there may be more of it after a while.
    pub fn for_now(message: impl Into<String>, retry_after: Duration) -> Self {
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, codes::RATE_LIMITED, message);
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// A rate of the caller is used up.
    pub fn of_rate(message: impl Into<String>, rate: Refused) -> Self {
        Self { rate: Some(rate), ..Self::for_now(message, rate.retry_after) }
    }

    /// We have more to do than we can, whoever asks.
    pub fn busy(retry_after: Duration) -> Self {
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, codes::UNAVAILABLE, BUSY);
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// The body cannot be read as a request.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, codes::BAD_REQUEST, message)
    }

    /// The body or its document is too long.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, codes::TOO_LARGE, message)
    }

    /// We gave it up in the midst of it.
    pub fn unknown() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, codes::INTERNAL, UNKNOWN)
    }

    /// The fault is ours, and its cause is in the log only.
    pub fn internal() -> Self {
        let message = "Something went wrong here. Whoever runs the server finds the cause by the request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, codes::INTERNAL, message)
    }

    /// Gives a code to the errors that have none.
    fn with_code(mut self, code: &str) -> Self {
        for error in &mut self.errors {
            codes::set(error, code);
        }
        self
    }

    /// What is wrong.
    #[cfg(test)]
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().map(|error| error.message.as_str())
    }

    /// What is used up of a rate, if that is why.
    pub fn rate(&self) -> Option<&Refused> {
        self.rate.as_ref()
    }

    /// The answer to the request.
    pub fn answer(self, media: Media, id: &RequestId) -> Response {
        self.answer_with(&json!({ "requestId": id.to_string() }), media)
    }

    /// The answer to the request, with these extensions.
    pub fn answer_with(self, extensions: &Value, media: Media) -> Response {
        let body = json!({ "errors": self.errors, "extensions": extensions });
        let mut response =
            (self.status, [(CONTENT_TYPE, media.content_type())], body.to_string()).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Basic realm="reprise", charset="UTF-8""#);
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds(wait).into());
        }
        response
    }
}

/// There is no room in memory for what was asked.
pub(crate) fn no_room(full: Full) -> Refusal {
    match full {
        Full::Request => Refusal::too_large(
            "The request takes more memory than one may take. Ask for less, or send less, at a time.",
        ),
        Full::Organization => {
            let message = "Requests of this organization, and answers that it has not taken, are too much at a time. \
                Try again later.";
            Refusal::for_now(message, NO_ROOM)
        }
        Full::Server => Refusal::busy(NO_ROOM),
    }
}

/// Whole seconds, rounded up: who waits so long does not come too early.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

fn shorten(message: &mut String) {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS) {
        message.truncate(end);
        message.push('…');
    }
}

/// What is answered where nothing is.
pub(crate) async fn not_found(Extension(id): Extension<RequestId>) -> Response {
    let message = "There is nothing at this path. The API is at /graphql.";
    Refusal::new(StatusCode::NOT_FOUND, codes::NOT_FOUND, message).answer(Media::Json, &id)
}

/// What is answered to other methods than a path has; `Allow` names those.
pub(crate) async fn method_not_allowed(uri: Uri, Extension(id): Extension<RequestId>) -> Response {
    let message = match uri.path() {
        "/graphql" => "The API takes POST only: send it by POST, as JSON such as {\"query\": \"{ ping }\"}.",
        _ => "This path does not take requests of this method; the header `allow` names those it takes.",
    };
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, codes::METHOD_NOT_ALLOWED, message).answer(Media::Json, &id)
}
