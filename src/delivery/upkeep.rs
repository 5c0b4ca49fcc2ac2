//! Removes what has expired: events after their retention (D9), targets that
//! were deactivated long ago (T11), signing keys that have ended (K1).
//!
//! It works in small transactions, so that nobody waits for it.

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{Result, report};
use crate::store::{events, signing_keys, targets};

/// How many rows go in one transaction.
const BATCH: u64 = 200;

/// Removes what has expired, again and again, until the engine stops.
pub async fn run(app: App, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(app.settings.upkeep_interval)).await.is_some() {
        if let Err(error) = remove_expired(&app).await {
            report("expired rows could not be removed", &error);
        }
    }
}

/// Removes everything that has expired by now.
pub async fn remove_expired(app: &App) -> Result<()> {
    let now = app.now();
    let mut removed = BATCH;
    while removed >= BATCH {
        let tx = app.db.begin().await?;
        removed = events::remove_expired(&tx, now - app.settings.retention, BATCH).await?;
        removed =
            removed.max(targets::remove_deactivated(&tx, now - app.settings.removal_after, BATCH).await?);
        removed = removed.max(signing_keys::remove_expired(&tx, now, BATCH).await?);
        tx.commit().await?;
    }
    Ok(())
}
