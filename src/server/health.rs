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
use serde_json::json;
use tracing::warn;

use crate::app::App;

const PATIENCE: Duration = Duration::from_secs(2);

/// How often the engine may miss its look at the database before it counts as stalled.
const MISSED_LOOKS: u32 = 10;

/// `/healthz` and `/readyz`.
pub fn routes(app: App) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(app)
}

async fn healthz() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#)
}

async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let (status, body) = match trouble(&app).await {
        None => (StatusCode::OK, json!({ "status": "ok", "oldestDueSeconds": oldest_due(&app) })),
        Some(reason) => {
            warn!(reason, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "unavailable", "reason": reason }))
        }
    };
    (status, [(CONTENT_TYPE, "application/json")], body.to_string())
}

/// What keeps the server from doing its work.
async fn trouble(app: &App) -> Option<&'static str> {
    match tokio::time::timeout(PATIENCE, app.db.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Some("the database fails"),
        Err(_) => return Some("the database does not answer"),
    }
    let is_stalled = app.pulse.silence() > app.settings.look_interval * MISSED_LOOKS;
    (is_stalled && !app.settings.paused).then_some("the delivery engine has stalled")
}

/// For how many seconds the oldest due delivery has been waiting.
fn oldest_due(app: &App) -> u64 {
    app.pulse.oldest_due(app.now()).as_secs()
}
