//! Waits for a database that is away while the server starts.
//!
//! After a failure of the machine all things start at once, and the database may be the last. What
//! waiting does not heal ends the start: a wrong password, an unknown database, newer tables.

use std::time::Duration;

use tracing::{info, warn};

use crate::db::is_away;
use crate::error::causes;

/// How long a database that is away is left alone.
const PAUSE: Duration = Duration::from_secs(2);

/// Does `work` again and again, as long as the database is away.
pub(super) async fn until_there<T>(work: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut is_waiting = false;
    loop {
        match work().await {
            Err(error) if is_away(&error) => {
                warn!(error = causes(&error), "the database is away; trying again");
                is_waiting = true;
            }
            ended => {
                if is_waiting && ended.is_ok() {
                    info!("the database is there");
                }
                return ended;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
