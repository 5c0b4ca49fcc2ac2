//! Checks for whoever watches the process: whether it lives, and whether it can
//! do its work.
//!
//! They need no key, so they say nothing about the inside.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tracing::warn;

use crate::app::App;

const PATIENCE: Duration = Duration::from_secs(2);

/// `/healthz` and `/readyz`.
pub fn routes(app: App) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(app)
}

async fn healthz() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#)
}

async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let ping = tokio::time::timeout(PATIENCE, app.db.reader().ping());
    let (status, body) = match ping.await {
        Ok(Ok(())) => (StatusCode::OK, r#"{"status":"ok"}"#),
        Ok(Err(error)) => {
            warn!(%error, "not ready: the database answers with an error");
            (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unavailable","reason":"the database fails"}"#)
        }
        Err(_) => {
            warn!("not ready: the database does not answer");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"status":"unavailable","reason":"the database does not answer"}"#,
            )
        }
    };
    (status, [(CONTENT_TYPE, "application/json")], body)
}
