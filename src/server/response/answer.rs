//! The answer to a request that was executed.

use std::sync::Arc;

use async_graphql::{Response as Executed, Value};
use async_graphql_axum::GraphQLResponse;
use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tracing::error;

use crate::quota::memory::Share;
use crate::server::request::media::Media;
use crate::server::response::refusal::Refusal;
use crate::server::response::request_id::RequestId;

/// What was executed, with the request id, which counts in the share until the client has taken it.
pub(crate) async fn executed(
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
    let (mut head, body) = GraphQLResponse::from(executed).into_response().into_parts();
    head.headers.insert(CONTENT_TYPE, media.content_type());
    match to_bytes(body, usize::MAX).await {
        Ok(answer) => Response::from_parts(head, Body::from(share.keep(answer))),
        Err(cause) => {
            error!(%cause, "an answer could not be written");
            Refusal::internal().answer(media, id)
        }
    }
}
