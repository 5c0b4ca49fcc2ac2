//! The answer to a request that was executed.

use std::sync::Arc;

use async_graphql::{Response as Executed, Value};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tracing::error;

use crate::app::memory::Share;
use crate::server::media::Media;
use crate::server::refusal::Refusal;
use crate::server::request::RequestId;

/// What was executed, with the request id, which counts in the share until the client has taken it.
pub fn executed(
    mut executed: Executed,
    rate_limit: Option<serde_json::Value>,
    media: Media,
    id: &RequestId,
    share: Arc<Share>,
) -> Response {
    executed.extensions.insert("requestId".to_owned(), id.to_string().into());
    if let Some(rate_limit) = rate_limit.and_then(|told| Value::from_json(told).ok()) {
        executed.extensions.insert("rateLimit".to_owned(), rate_limit);
    }
    match serde_json::to_vec(&executed) {
        Ok(answer) => {
            drop(executed);
            ([(CONTENT_TYPE, media.content_type())], Body::from(share.keep(answer.into()))).into_response()
        }
        Err(cause) => {
            error!(%cause, "an answer could not be written");
            Refusal::internal().answer(media, id)
        }
    }
}
