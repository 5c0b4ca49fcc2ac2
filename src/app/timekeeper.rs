//! One time for all replicas: that of the PostgreSQL server they share.
//!
//! Leases and schedules are judged by it, so it does not matter whether the
//! clocks of the replicas agree.

use std::time::Duration;

use crate::clock::{Clock, Offset};
use crate::db::Db;
use crate::error::Result;

/// How often the difference is measured. Clocks drift by milliseconds in that time.
const INTERVAL: Duration = Duration::from_secs(10);

/// An answer within this time is prompt.
const PROMPT: Duration = Duration::from_millis(50);
/// How often to ask for a prompt one.
const TRIES: usize = 5;

/// The clock to go by: with SQLite the system's, with PostgreSQL the server's.
pub async fn clock(db: &Db) -> Result<Clock> {
    let offset = Offset::default();
    if db.is_shared() {
        measure(db, &offset).await?;
        tokio::spawn(keep(db.clone(), offset.clone()));
    }
    Ok(Clock::aligned(&offset))
}

async fn keep(db: Db, offset: Offset) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if let Err(error) = measure(&db, &offset).await {
            tracing::debug!(%error, "the database did not tell the time; the last difference still counts");
        }
    }
}

/// The server looked at its clock half-way between question and answer, as far as anybody knows. An
/// answer that took long says little: the question may have waited for a connection, or this process
/// was held meanwhile. So the promptest of a few answers counts.
async fn measure(db: &Db, offset: &Offset) -> Result<()> {
    let mut promptest = None;
    for _ in 0..TRIES {
        let (took, difference) = ask(db).await?;
        if promptest.is_none_or(|(least, _)| took < least) {
            promptest = Some((took, difference));
        }
        if took <= PROMPT {
            break;
        }
    }
    if let Some((_, difference)) = promptest {
        offset.set(difference);
    }
    Ok(())
}

/// How long the answer took, and by how many milliseconds the server's clock is ahead.
async fn ask(db: &Db) -> Result<(Duration, i64)> {
    let system = Clock::system();
    let asked_at = system.now();
    let there = db.time().await?;
    let answered_at = system.now();
    let here = asked_at.as_millis().midpoint(answered_at.as_millis());
    Ok((answered_at.since(asked_at), there.as_millis() - here))
}
