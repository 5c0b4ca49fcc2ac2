//! How long a request may wait for the database, in all.
//!
//! One that does not answer must not keep the client waiting. What was being read is read for nobody. What
//! was being changed is undone, or has happened, and the answer says that this is not known. Events are waited
//! for longer: once they are taken to be recorded, they cannot be refused any more.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::quota::limits::Waits;

/// What the answer to publishing may take besides.
const ANSWERING: Duration = Duration::from_secs(1);

/// What is left of that time.
#[derive(Debug)]
pub(crate) struct Deadline(Duration);

/// It is at its end.
#[derive(Debug)]
pub(crate) struct Late;

impl Deadline {
    /// That of a request that has not waited yet.
    pub(crate) fn full(waits: Waits) -> Self {
        Self(waits.request)
    }

    /// Waits for the outcome of publishing instead, which has an end of its own.
    pub(crate) fn leave_to_publisher(&mut self, waits: Waits) {
        self.0 += waits.taking + waits.recording + ANSWERING;
    }

    /// Waits as long as it lasts.
    pub(crate) async fn wait<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Late> {
        let start = Instant::now();
        let done = timeout(self.0, work).await;
        self.0 = self.0.saturating_sub(start.elapsed());
        done.map_err(|_| {
            warn!("a request was given up: it could not be done in time");
            Late
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn the_time_waited_is_subtracted() {
        let mut deadline = Deadline(Duration::from_millis(5));
        assert!(deadline.wait(ready(())).await.is_ok());
        assert!(deadline.wait(pending::<()>()).await.is_err());
        assert_eq!(deadline.0, Duration::ZERO);
        assert!(deadline.wait(pending::<()>()).await.is_err());
    }
}
