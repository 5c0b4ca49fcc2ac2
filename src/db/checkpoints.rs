//! Brings what was committed from SQLite's log into its file, beside the writer.
//!
//! The writer would do that itself, in the midst of its work: a pause of tens of
//! milliseconds for everybody. Here it is done while others write; what is left for the
//! writer, when the log has become so long that it has to start over, is little.

use std::time::Duration;

use anyhow::Context;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::sync::watch;

use crate::error::Result;

/// How many pages the log may have before the writer itself sees to it.
pub(super) const PAGES: &str = "16000";

/// To how many bytes a log is cut that had to become longer: as many as those pages.
pub(super) const BYTES: &str = "67108864";

/// A log of more pages cannot be emptied: whoever reads from it does not come to an end.
const STUCK: i64 = 2 * 16_000;

/// The least time between two checkpoints.
const PAUSE: Duration = Duration::from_secs(1);

/// Works until nobody can write any more. What fails is tried again after the next commit.
pub(super) async fn run(db: DatabaseConnection, mut committed: watch::Receiver<()>) {
    let mut told = STUCK;
    while committed.changed().await.is_ok() {
        tokio::time::sleep(PAUSE).await;
        committed.mark_unchanged();
        match empty(&db).await {
            Ok(log) => told = tell(log, told),
            Err(error) => tracing::debug!(%error, "the log could not be brought into the file"),
        }
    }
}

/// What is in the log.
#[derive(Debug, Clone, Copy)]
struct Log {
    pages: i64,
    /// How many of them are in the file, too.
    emptied: i64,
}

async fn empty(db: &DatabaseConnection) -> Result<Log> {
    let statement = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(PASSIVE)");
    let row = db.query_one_raw(statement).await?.context("a checkpoint tells what it did")?;
    Ok(Log { pages: row.try_get("", "log")?, emptied: row.try_get("", "checkpointed")? })
}

/// Warns when the log cannot be emptied, and once more whenever it has become twice as long. Answers how long
/// it has to become for the next warning.
fn tell(log: Log, told: i64) -> i64 {
    if log.emptied >= log.pages {
        return STUCK;
    }
    if log.pages < told {
        return told;
    }
    tracing::warn!(
        mebibytes = log.pages / 256,
        "the log beside the database file grows and cannot be emptied: \
         another process reads from the file, and does not end its transaction"
    );
    2 * told.max(log.pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_grows_and_cannot_be_emptied_is_told_each_time_it_has_doubled() {
        for (pages, emptied, told, next) in [
            (0, 0, STUCK, STUCK),
            (STUCK - 1, 0, STUCK, STUCK),
            (STUCK, STUCK, STUCK, STUCK),
            (STUCK, 10, STUCK, 2 * STUCK),
            (STUCK + 1, 10, 2 * STUCK, 2 * STUCK),
            (5 * STUCK, 10, 2 * STUCK, 10 * STUCK),
            (5 * STUCK, 5 * STUCK, 10 * STUCK, STUCK),
            // Nobody holds the log, it is only being written.
            (-1, -1, STUCK, STUCK),
        ] {
            assert_eq!(tell(Log { pages, emptied }, told), next, "{pages} {emptied} {told}");
        }
    }
}
