//! Which connections are still believed to lead where they should.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use sea_orm::sqlx;
use tokio::time::{Instant, timeout};

/// How often trust may end: whatever is wrong with a database, there are not new connections all the time.
const CALM: Duration = Duration::from_secs(1);

/// Trust in the connections of a database. Cheap to clone; all clones share it. By default it is that in a
/// file, which cannot move, and never ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust(Option<Arc<Mutex<Option<Instant>>>>);

impl Trust {
    /// Trust in connections to a server.
    pub(super) fn in_a_server() -> Self {
        Self(Some(Arc::default()))
    }

    /// One connection did not lead to a server that answers and takes what is written. None that was made
    /// until now is used any more.
    pub(super) fn end(&self) {
        self.end_at(Instant::now());
    }

    /// Whether a connection of this age may still be used.
    pub(super) fn covers(&self, age: Duration) -> bool {
        self.covers_at(Instant::now(), age)
    }

    fn end_at(&self, now: Instant) {
        let Some(mut ended_at) = self.ended_at() else { return };
        if ended_at.is_none_or(|at| now.duration_since(at) >= CALM) {
            *ended_at = Some(now);
        }
    }

    fn covers_at(&self, now: Instant, age: Duration) -> bool {
        let ended_at = self.ended_at().and_then(|ended_at| *ended_at);
        ended_at.is_none_or(|at| age < now.duration_since(at))
    }

    fn ended_at(&self) -> Option<MutexGuard<'_, Option<Instant>>> {
        Some(self.0.as_ref()?.lock())
    }

    /// Whether a call was answered well. That no answer came in time ends the trust in all connections; that
    /// this one is broken says nothing of the others.
    pub(super) async fn is_answered(
        &self,
        call: impl Future<Output = Result<(), sqlx::Error>>,
        within: Duration,
    ) -> bool {
        let Ok(ended) = timeout(within, call).await else {
            self.end();
            return false;
        };
        ended.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_made_before_trust_ended_are_not_used_and_later_ones_are() {
        let (trust, start) = (Trust::in_a_server(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let covers = |now: u64, made: u64| trust.covers_at(at(now), Duration::from_secs(now - made));
        assert!(covers(60, 0));
        trust.end_at(at(60));
        assert!(!covers(60, 60) && !covers(60, 0) && !covers(70, 60));
        assert!(covers(70, 61) && !covers(70, 59));
        trust.end_at(at(60) + CALM / 2);
        assert!(covers(70, 61), "it had just ended");
        trust.end_at(at(70));
        assert!(!covers(70, 61) && covers(72, 71));
    }

    #[tokio::test]
    async fn a_silent_connection_ends_trust_and_a_broken_one_does_not() {
        let (trust, patience) = (Trust::in_a_server(), Duration::from_millis(1));
        let broken = async { Err(sqlx::Error::WorkerCrashed) };
        assert!(!trust.is_answered(broken, patience).await);
        assert!(trust.is_answered(async { Ok(()) }, patience).await);
        assert!(trust.covers(Duration::from_secs(3_600)));
        assert!(!trust.is_answered(std::future::pending(), patience).await);
        assert!(!trust.covers(Duration::from_secs(3_600)));
    }
    #[test]
    fn trust_in_a_file_never_ends() {
        let trust = Trust::default();
        trust.end();
        assert!(trust.covers(Duration::from_secs(3_600)));
    }
}
