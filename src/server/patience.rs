//! How long a request may wait for the database, in all.
//!
//! One that does not answer must not keep the client waiting. What was being done is undone,
//! or has happened without an answer, as after any lost answer.

use std::time::Duration;

use anyhow::anyhow;
use tokio::time::{Instant, timeout};

use crate::error::report;
use crate::server::refusal::Refusal;

const IN_ALL: Duration = Duration::from_secs(4);

/// What is left of that time.
#[derive(Debug)]
pub struct Patience(Duration);

impl Patience {
    /// That of a request that has not waited yet.
    pub fn full() -> Self {
        Self(IN_ALL)
    }

    /// Waits as long as it lasts.
    pub async fn wait<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        let start = Instant::now();
        let done = timeout(self.0, work).await;
        self.0 = self.0.saturating_sub(start.elapsed());
        done.map_err(|late| {
            report("a request was given up: the database did not answer in time", &anyhow!(late).into());
            Refusal::internal()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_was_waited_for_is_taken_off() {
        let mut patience = Patience(Duration::from_millis(5));
        assert!(patience.wait(ready(())).await.is_ok());
        assert!(patience.wait(pending::<()>()).await.is_err());
        assert_eq!(patience.0, Duration::ZERO);
        assert!(patience.wait(pending::<()>()).await.is_err());
    }
}
