//! Whether the database answers, for whoever reads the log.
//!
//! Each failure of a call is told by whoever made it. That the database is back is nobody's failure, so it is told here.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sea_orm::DbErr;
use tokio::time::Instant;

use crate::db::trouble::is_refusal;

/// A connection that breaks is no database that is away. For as long nobody must have had an answer.
const AWAY: Duration = Duration::from_secs(1);

/// When it answered, and since when it does not. Cheap to clone; all clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Presence(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    answered_at: Option<Instant>,
    away_since: Option<Instant>,
}

impl Presence {
    /// Takes note of how a call ended that was begun then.
    pub(super) fn note<T>(&self, begun_at: Instant, ended: &Result<T, DbErr>) {
        let away = match ended {
            Ok(_) => self.seen(|seen| seen.answered(Instant::now())),
            Err(error) if is_silence(error) => self.seen(|seen| seen.unanswered(begun_at)),
            Err(_) => None,
        };
        if let Some(away) = away {
            let duration_ms = u64::try_from(away.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(duration_ms, "the database is back");
        }
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock())
    }
}

/// Whether nobody was there who could have answered.
fn is_silence(error: &DbErr) -> bool {
    matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) && !is_refusal(error)
}

impl Seen {
    /// For how long it was away, if it was.
    fn answered(&mut self, now: Instant) -> Option<Duration> {
        self.answered_at = Some(now);
        let away = now.duration_since(self.away_since.take()?);
        (away >= AWAY).then_some(away)
    }

    /// Others may have had an answer while this call waited: then it is not away for as long.
    fn unanswered(&mut self, begun_at: Instant) -> Option<Duration> {
        let since = self.answered_at.map_or(begun_at, |answered_at| answered_at.max(begun_at));
        self.away_since.get_or_insert(since);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_back_after_nobody_had_an_answer_for_a_while() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(seen.answered(at(0)), None);
        // Others waited and had their answer: who waited in vain was unlucky.
        assert_eq!(seen.answered(at(9)), None);
        seen.unanswered(at(5));
        assert_eq!(seen.answered(at(9) + AWAY / 2), None);
        // Nobody had one.
        seen.unanswered(at(10));
        seen.unanswered(at(15));
        assert_eq!(seen.answered(at(17)), Some(Duration::from_secs(7)));
        assert_eq!(seen.answered(at(20)), None);
    }
}
