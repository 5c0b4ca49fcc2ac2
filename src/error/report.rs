//! Our own failures in the log, with the request id of whoever met them.
//!
//! A database that is away fails every request in the same way. So what is the same is told
//! at most once in a while, and then how often it happened; a failure that stands alone is told at once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::Error;

/// For how long the same is not told again.
const WHILE: Duration = Duration::from_secs(5);
/// How many failures are remembered.
const REMEMBERED: usize = 200;

static TOLD: Mutex<Option<Told>> = Mutex::new(None);

/// Writes a failure to the log: what could not be done, and why not.
pub(crate) fn report(what: &'static str, error: &Error) {
    let error = match error {
        Error::Internal(error) | Error::Unknown(error) => causes(error),
        told => told.to_string(),
    };
    let mut told = TOLD.lock();
    let times = told.get_or_insert_default().count((what, error.clone()), Instant::now());
    drop(told);
    if let Some(times) = times {
        tracing::error!(error, times, "{what}");
    } else {
        tracing::debug!(error, "{what}");
    }
}

/// The error and what caused it, each once: some repeat their cause in their own text.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let joint = if text.is_empty() { "" } else { ": " };
            write!(text, "{joint}{cause}").ok();
        }
    }
    text
}

/// What was told, when, and how often it has happened since.
#[derive(Debug, Default)]
struct Told(HashMap<(&'static str, String), (Instant, u64)>);

impl Told {
    /// How often it happened since it was told last, if it is to be told now.
    fn count(&mut self, failure: (&'static str, String), now: Instant) -> Option<u64> {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (at, _)| now.duration_since(*at) < WHILE);
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let Some((told_at, times)) = self.0.get_mut(&failure) else {
            self.0.insert(failure, (now, 0));
            return Some(1);
        };
        *times += 1;
        if now.duration_since(*told_at) < WHILE {
            return None;
        }
        *told_at = now;
        Some(std::mem::take(times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_failure_is_logged_once_per_interval_with_a_count() {
        let (mut told, now) = (Told::default(), Instant::now());
        let mut tell = |what, why: &str, after| told.count((what, why.to_owned()), now + after);
        assert_eq!(tell("a", "gone", Duration::ZERO), Some(1));
        assert_eq!(tell("a", "gone", Duration::ZERO), None);
        assert_eq!(tell("a", "full", Duration::ZERO), Some(1));
        assert_eq!(tell("b", "gone", Duration::ZERO), Some(1));
        assert_eq!(tell("a", "gone", WHILE), Some(2));
        assert_eq!(tell("a", "gone", WHILE), None);
        assert_eq!(tell("a", "gone", WHILE * 3), Some(2));
    }

    #[test]
    fn it_does_not_remember_everything() {
        let (mut told, now) = (Told::default(), Instant::now());
        for number in 0..3 * REMEMBERED {
            assert_eq!(told.count(("a", number.to_string()), now), Some(1));
            assert!(told.0.len() <= REMEMBERED);
        }
    }

    #[test]
    fn a_cause_is_written_once() {
        let cause = anyhow::anyhow!("refused").context("Connection Error: refused").context("opening");
        assert_eq!(causes(&cause), "opening: Connection Error: refused");
    }
}
