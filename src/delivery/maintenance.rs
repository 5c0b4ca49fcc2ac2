//! Removes what has expired: events after their retention (D9), targets that
//! were deactivated long ago (T11), signing keys that have ended (K1).
//!
//! It works in small transactions, so that nobody waits for it, and goes by a time that does not
//! follow a clock that jumps (`rules::removal`).

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::app::log::{self, Cause};
use crate::error::{Result, report};
use crate::store::{events, signing_keys, targets};

/// How many rows go in one transaction, and how many transactions there are at most in a run.
const BATCH: u64 = 200;
const BATCHES: usize = 1_000;

/// Removes what has expired, again and again, until the engine stops.
pub(super) async fn run(app: App, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(app.settings.maintenance_interval)).await.is_some() {
        if let Err(error) = remove_expired(&app).await {
            report("expired rows could not be removed", &error);
        }
    }
}

/// Removes what has expired by now, as much as may go in one run.
pub(super) async fn remove_expired(app: &App) -> Result<()> {
    let until = app.removal.reach(&app.db, app.now()).await?;
    for _ in 0..BATCHES {
        let tx = app.db.begin().await?;
        let events = events::remove_expired(&tx, until - app.settings.retention, BATCH).await?;
        let targets = targets::remove_deactivated(&tx, until - app.settings.removal_after, BATCH).await?;
        let keys = signing_keys::remove_expired(&tx, until, BATCH).await?;
        tx.commit().await?;
        for (target, organization) in &targets {
            log::removed(organization, target, Cause::Expired);
        }
        if events.max(targets.len() as u64).max(keys) < BATCH {
            break;
        }
    }
    Ok(())
}
