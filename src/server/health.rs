//! Checks for whoever watches the process: whether it lives, and whether it can
//! do its work.
//!
//! They need no key, so they say nothing about the inside, and however often strangers ask, the
//! database is asked once a second.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;

use crate::app::App;
use crate::error::Result;
use crate::store::deliveries;

const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// For how long what was found out is told again.
const FRESH: Duration = Duration::from_secs(1);

/// How often the engine may miss its look at the database before it counts as stalled.
const MISSED_LOOKS: u32 = 10;

/// `/healthz` and `/readyz`.
pub(super) fn routes(app: App) -> Router {
    let watch = Arc::new(Watch { app, last: Mutex::new(None) });
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(watch)
}

/// Looks after the database; remembers what was seen last.
struct Watch {
    app: App,
    last: Mutex<Option<(Instant, Result<(), Trouble>)>>,
}

/// What keeps the server from doing its work.
type Trouble = &'static str;

async fn healthz() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#)
}

async fn readyz(State(watch): State<Arc<Watch>>) -> impl IntoResponse {
    let app = &watch.app;
    let (status, body) = match watch.look().await {
        Ok(()) => (StatusCode::OK, working(app)),
        Err(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "unavailable", "reason": reason }))
        }
    };
    (status, [(CONTENT_TYPE, "application/json")], body.to_string())
}

impl Watch {
    /// Whether the server can do its work. Whoever comes while somebody is looking waits for that look.
    async fn look(&self) -> Result<(), Trouble> {
        let mut last = self.last.lock().await;
        if let Some((seen_at, seen)) = *last
            && seen_at.elapsed() < FRESH
        {
            return seen;
        }
        let seen = look(&self.app).await;
        if let Err(reason) = seen {
            warn!(reason, "not ready");
        }
        *last = Some((Instant::now(), seen));
        seen
    }
}

async fn look(app: &App) -> Result<(), Trouble> {
    match tokio::time::timeout(CHECK_TIMEOUT, app.db.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Err("the database fails"),
        Err(_) => return Err("the database does not answer"),
    }
    if app.settings.paused {
        look_at_what_waits(app).await.map_err(|_| "the database fails")?;
    }
    let is_stalled = app.heartbeat.silence() > app.settings.look_interval * MISSED_LOOKS;
    if is_stalled && !app.settings.paused { Err("the delivery engine has stalled") } else { Ok(()) }
}

/// What a server tells that can do its work. What it lacks to reach receivers makes deliveries wait, and
/// no more: requests are answered and recorded all the same, so it is not taken out of service for it.
fn working(app: &App) -> Value {
    let mut body = json!({ "status": "ok", "oldestDueSeconds": oldest_due(app) });
    if let Some(trouble) = app.troubles.now() {
        body["status"] = "degraded".into();
        body["reason"] = trouble.to_string().into();
    }
    body
}

/// The look that the engine would take, so that a paused server can tell what has come due meanwhile.
async fn look_at_what_waits(app: &App) -> Result<()> {
    let lanes = deliveries::backlogs(app.db.reader()).await?;
    app.heartbeat.beat(lanes.iter().map(|lane| lane.due_at).min());
    Ok(())
}

/// For how many seconds the oldest due delivery has been waiting.
fn oldest_due(app: &App) -> u64 {
    app.heartbeat.oldest_due(app.now()).as_secs()
}
