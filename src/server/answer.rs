//! The answer to a request that was executed.

use async_graphql::{Response as Executed, Value};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tracing::error;

use crate::server::media::Media;
use crate::server::memory::Share;
use crate::server::refusal::Refusal;
use crate::server::request::RequestId;

/// What was executed, with the request id, which counts in the share until the client has taken it.
pub fn executed(
    mut executed: Executed,
    rate_limit: Option<serde_json::Value>,
    media: Media,
    id: &RequestId,
    share: Share,
) -> Response {
    executed.extensions.insert("requestId".to_owned(), id.to_string().into());
    if let Some(rate_limit) = rate_limit.and_then(|told| Value::from_json(told).ok()) {
        executed.extensions.insert("rateLimit".to_owned(), rate_limit);
    }
    match serde_json::to_vec(&executed) {
        Ok(answer) => {
            (StatusCode::OK, [(CONTENT_TYPE, media.content_type())], share.keep(answer)).into_response()
        }
        Err(cause) => {
            error!(%cause, "an answer could not be written as JSON");
            Refusal::internal().answer(media, id)
        }
    }
}
