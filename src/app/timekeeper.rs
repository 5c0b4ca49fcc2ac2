//! One time for all replicas: that of the PostgreSQL server they share.
//!
//! Leases and schedules are judged by it, so it does not matter whether the
//! clocks of the replicas agree.

use std::time::Duration;

use entity::Timestamp;

use crate::clock::{Clock, Offset};
use crate::db::Db;
use crate::error::Result;

/// How often the difference is measured. Clocks drift by milliseconds in that time.
const INTERVAL: Duration = Duration::from_secs(10);

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

/// The server looked at its clock half-way between question and answer, as far as anybody knows.
async fn measure(db: &Db, offset: &Offset) -> Result<()> {
    let system = Clock::system();
    let asked_at = system.now();
    let there = db.time().await?;
    let here = Timestamp::from_millis(asked_at.as_millis().midpoint(system.now().as_millis()));
    offset.set(there.as_millis() - here.as_millis());
    Ok(())
}
