//! Tells in the log how attempts ended.
//!
//! A receiver that fails is nothing to look into for whoever runs the server, and may fail often. So
//! failed attempts are told at the level of information, but so many in a second only; how many more
//! there were is told when the second is over. All else is for those who debug.

use std::time::Duration;

use entity::{AttemptStatus, OrganizationId};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use crate::app::log::word;
use crate::rules::settlement::Outcome;

/// How many failed attempts are told in a second.
const PER_SECOND: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);

static FAILURES: Mutex<Failures> =
    Mutex::new(Failures { since: None, told: 0, left_out: 0, is_counted: false });

/// Tells of an attempt that was made for this organization.
pub(crate) fn ended(organization: Option<&OrganizationId>, outcome: &Outcome) {
    macro_rules! line {
        ($level:ident, $message:literal) => {
            tracing::$level!(
                organization = organization.map(tracing::field::display),
                target_id = %outcome.delivery.target_id,
                event_id = %outcome.delivery.event_id,
                attempt = outcome.number(),
                reason = outcome.attempt.failure_reason.map(word),
                status = outcome.attempt.response_code,
                duration_ms = outcome.attempt.duration_ms,
                $message
            )
        };
    }
    match outcome.attempt.status {
        AttemptStatus::Success => line!(debug, "an attempt succeeded"),
        AttemptStatus::Skipped => line!(debug, "an attempt was skipped"),
        AttemptStatus::Failure if is_told() => line!(info, "an attempt failed"),
        AttemptStatus::Failure => line!(debug, "an attempt failed"),
    }
}

/// Tells how many failed attempts were left out, if any were.
pub(crate) fn tell_left_out() {
    let times = std::mem::take(&mut failures().left_out);
    if times > 0 {
        tracing::info!(times, "more attempts failed");
    }
}

/// Whether one more failed attempt is told. If not, it is counted, and the number told soon.
fn is_told() -> bool {
    if !tracing::enabled!(tracing::Level::INFO) {
        return false;
    }
    let counted = failures().count(Instant::now());
    if let Counted::FirstLeftOut(rest) = counted {
        tokio::spawn(async move {
            sleep(rest).await;
            tell_left_out();
        });
    }
    counted == Counted::Told
}

fn failures() -> MutexGuard<'static, Failures> {
    FAILURES.lock()
}

/// How many attempts failed in the second that runs.
#[derive(Debug)]
struct Failures {
    since: Option<Instant>,
    told: u32,
    /// Those that were not told, and not counted in the log either.
    left_out: u64,
    /// Whether somebody is going to tell how many those are.
    is_counted: bool,
}

/// What becomes of one.
#[derive(Debug, PartialEq, Eq)]
enum Counted {
    Told,
    /// The first that is left out in a second, and how much of the second is left.
    FirstLeftOut(Duration),
    LeftOut,
}

impl Failures {
    fn count(&mut self, now: Instant) -> Counted {
        let since = self.since.filter(|since| now.duration_since(*since) < SECOND);
        if since.is_none() {
            (self.since, self.told, self.is_counted) = (Some(now), 0, false);
        }
        if self.told < PER_SECOND {
            self.told += 1;
            return Counted::Told;
        }
        self.left_out += 1;
        if std::mem::replace(&mut self.is_counted, true) {
            return Counted::LeftOut;
        }
        Counted::FirstLeftOut(SECOND.saturating_sub(now.duration_since(since.unwrap_or(now))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_one_that_counts_the_others() {
        let (mut failures, start) =
            (Failures { since: None, told: 0, left_out: 0, is_counted: false }, Instant::now());
        let half = start + SECOND / 2;
        for _ in 0..PER_SECOND {
            assert_eq!(failures.count(start), Counted::Told);
        }
        assert_eq!(failures.count(half), Counted::FirstLeftOut(SECOND / 2));
        assert_eq!([(); 2].map(|()| failures.count(half)), [Counted::LeftOut, Counted::LeftOut]);
        assert_eq!(failures.left_out, 3);
        // Whoever was to tell of them may have ended: the next second has another.
        let next = start + SECOND;
        for _ in 0..PER_SECOND {
            assert_eq!(failures.count(next), Counted::Told);
        }
        assert_eq!(failures.count(next), Counted::FirstLeftOut(SECOND));
        assert_eq!(failures.left_out, 4);
    }
}
