//! Over how many pools the requests to one target are spread.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Over how many connections of HTTP/2 the requests to one target are spread at most.
pub(super) const SPREAD: usize = 32;
/// Goodbyes within this time count as one: a single one refuses all requests of its connection.
const ROUND: Duration = Duration::from_millis(20);
/// After so long without one, half as many connections will do.
const CALM: Duration = Duration::from_secs(60);

/// Over how many pools the requests to one target are spread: one, unless its receiver says goodbye
/// to requests that it has not read. Each such round doubles it.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// One less than the number of pools.
    more: AtomicUsize,
    next: AtomicUsize,
    changed_at: Mutex<Option<Instant>>,
}

impl Spread {
    /// The pool whose turn it is.
    pub(super) fn next(&self, now: Instant) -> usize {
        if self.more.load(Relaxed) == 0 {
            return 0;
        }
        self.change(now, CALM, |pools| pools / 2);
        self.next.fetch_add(1, Relaxed) % (self.more.load(Relaxed) + 1)
    }

    /// The receiver has said goodbye to a request that it had not read.
    pub(super) fn widen(&self, now: Instant) {
        self.change(now, ROUND, |pools| (pools * 2).min(SPREAD));
    }

    fn change(&self, now: Instant, at_earliest: Duration, to: impl Fn(usize) -> usize) {
        let mut changed_at = self.changed_at.lock();
        if changed_at.is_none_or(|at| now >= at + at_earliest) {
            *changed_at = Some(now);
            self.more.store(to(self.more.load(Relaxed) + 1).max(1) - 1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_of_goodbyes_doubles_the_connections_and_calm_halves_them() {
        let (spread, mut now) = (Spread::default(), Instant::now());
        let pools = |now| (0..SPREAD).map(|_| spread.next(now)).max().unwrap() + 1;
        assert_eq!(pools(now), 1);
        for expected in [2, 4, 8, 16, 32, 32] {
            // One goodbye refuses many requests at once.
            (0..31).for_each(|_| spread.widen(now));
            assert_eq!(pools(now), expected);
            now += ROUND;
        }
        for expected in [16, 8, 4, 2, 1, 1] {
            now += CALM;
            assert_eq!(pools(now), expected);
        }
    }
}
