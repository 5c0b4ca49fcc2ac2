//! Brings what was committed from SQLite's log into its file, beside the writer.
//!
//! The writer would do that itself, in the midst of its work: a pause of tens of
//! milliseconds for everybody. Here it is done while others write; what is left for the
//! writer, when the log has become so long that it has to start over, is little.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::sync::watch;

/// How many pages the log may have before the writer itself sees to it.
pub const PAGES: &str = "16000";

/// The least time between two checkpoints.
const PAUSE: Duration = Duration::from_secs(1);

/// Works until nobody can write any more. What fails is tried again after the next commit.
pub async fn run(db: DatabaseConnection, mut committed: watch::Receiver<()>) {
    while committed.changed().await.is_ok() {
        tokio::time::sleep(PAUSE).await;
        committed.mark_unchanged();
        if let Err(error) = db.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await {
            tracing::debug!(%error, "the log could not be brought into the file");
        }
    }
}
