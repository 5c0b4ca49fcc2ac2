//! How far the time has come that the removal of what has expired goes by.

use std::time::Duration;

use entity::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use crate::error::Result;
use crate::rules::removal;
use crate::store::timekeeping;

use crate::db::Db;

/// It is noted in the database when it has come this far since: often enough for a restart.
const NOTED_EACH: Duration = Duration::from_mins(10);

/// What this process knows of it.
#[derive(Debug, Default)]
pub struct Removal(Mutex<Option<Reached>>);

#[derive(Debug, Clone, Copy)]
struct Reached {
    until: Timestamp,
    at: Timestamp,
}

impl Removal {
    /// Comes as far as it may. It begins where it was noted last, or else with the newest row.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reach(&self, db: &Db, now: Timestamp) -> Result<Timestamp> {
        let noted = timekeeping::removed_until(db.reader()).await?;
        let last = *self.reached();
        let until = match (last, noted) {
            (Some(last), _) => {
                // Another replica may have come further.
                removal::reach(last.until, now.since(last.at), now).max(noted.unwrap_or_default())
            }
            (None, Some(noted)) => noted,
            (None, None) => timekeeping::newest(db.reader()).await?.unwrap_or(now),
        };
        let until = until.min(now);
        if noted.is_none_or(|noted| until >= noted + NOTED_EACH) {
            let tx = db.begin().await?;
            timekeeping::reach(&tx, until).await?;
            tx.commit().await?;
        }
        *self.reached() = Some(Reached { until, at: now });
        Ok(until)
    }

    fn reached(&self) -> MutexGuard<'_, Option<Reached>> {
        self.0.lock()
    }
}
