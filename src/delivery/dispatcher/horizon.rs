//! How far back looks and claims go in the index of what is due.
//!
//! What is settled leaves that index, but as long as anybody has a snapshot open, PostgreSQL keeps the
//! dead entries, and whoever begins at the oldest reads all of them. So only a full look begins there.
//! It tells what waited for longest; until the next one, looks and claims begin a little before that.
//! What comes to be due further back meanwhile, or for a target that nobody here knows to wait for,
//! is found by the next full look at the latest.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use entity::{TargetId, Timestamp};

use crate::store::deliveries::Backlog;

/// How many quick looks there are between two full ones.
const QUICK_LOOKS: u32 = 9;

/// How much further back they go than need be: what is written down is due since before it is there for
/// others to see, and clocks of replicas differ.
const MARGIN: Duration = Duration::from_secs(10);

/// What a look looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// All that waits.
    Full,
    /// What became due for these targets since then.
    Known(Vec<(TargetId, Timestamp)>),
}

/// What the last full look tells, and what has come to be known since it began.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    /// When it began. Before the first, looks and claims go back to the beginning of time.
    full_at: Timestamp,
    /// For which targets something waited, and when the first of it was due, or will be; but no later than
    /// the look.
    waiting: HashMap<TargetId, Timestamp>,
    /// For which others something may wait.
    noted: HashSet<TargetId>,
    /// How many looks may still be quick.
    quick: u32,
}

impl Horizon {
    /// Something may wait for the target.
    pub(super) fn note(&mut self, target: &TargetId) {
        if !self.waiting.contains_key(target) && !self.noted.contains(target) {
            self.noted.insert(target.clone());
        }
    }

    /// The next look has to be a full one.
    pub(super) fn forget(&mut self) {
        self.quick = 0;
    }

    /// What the look looks at that begins now.
    pub(super) fn reach(&mut self, now: Timestamp) -> Reach {
        if let Some(quick) = self.quick.checked_sub(1) {
            self.quick = quick;
            let known = self.waiting.keys().chain(&self.noted);
            return Reach::Known(known.map(|target| (target.clone(), self.since(target, now))).collect());
        }
        // What is noted from now on, the look may not have seen.
        self.waiting.clear();
        self.noted.clear();
        self.quick = QUICK_LOOKS;
        Reach::Full
    }

    /// A full look that began then has found this.
    pub(super) fn looked(&mut self, found: &[Backlog], full_at: Timestamp) {
        self.full_at = full_at;
        self.waiting =
            found.iter().map(|backlog| (backlog.target_id.clone(), backlog.due_at.min(full_at))).collect();
        self.noted.retain(|target| !self.waiting.contains_key(target));
    }

    /// Since when something may be due for the target. A clock that was set back goes before.
    pub(super) fn since(&self, target: &TargetId, now: Timestamp) -> Timestamp {
        self.waiting.get(target).copied().unwrap_or(self.full_at).min(now) - MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn backlog(due_at: Timestamp) -> Backlog {
        Backlog { target_id: TargetId::new(NOON), status: None, due_at }
    }

    /// A horizon after a full look at noon.
    fn looked(found: &[Backlog]) -> Horizon {
        let mut horizon = Horizon::default();
        assert_eq!(horizon.reach(NOON), Reach::Full);
        horizon.looked(found, NOON);
        horizon
    }

    #[test]
    fn every_tenth_look_is_a_full_one() {
        let mut horizon = looked(&[]);
        for _ in 0..QUICK_LOOKS {
            assert_eq!(horizon.reach(NOON), Reach::Known(Vec::new()));
        }
        assert_eq!(horizon.reach(NOON), Reach::Full);
    }

    #[test]
    fn after_trouble_the_next_look_is_a_full_one_and_the_ones_after_are_not() {
        let mut horizon = looked(&[]);
        horizon.forget();
        assert_eq!(horizon.reach(NOON), Reach::Full);
        assert_eq!(horizon.reach(NOON), Reach::Known(Vec::new()));
    }

    #[test]
    fn nothing_is_left_out_before_the_first_full_look() {
        assert!(Horizon::default().since(&TargetId::new(NOON), NOON) < Timestamp::default());
    }

    #[test]
    fn it_begins_before_what_waits_for_longest_and_never_after_the_look() {
        let (old, future) = (backlog(NOON - HOUR), backlog(NOON + HOUR));
        let horizon = looked(&[old, future]);
        let since = |target: &TargetId| horizon.since(target, NOON + HOUR);
        let mut sinces: Vec<_> = horizon.waiting.keys().map(since).collect();
        sinces.sort_unstable();
        assert_eq!(sinces, [NOON - HOUR - MARGIN, NOON - MARGIN]);
        assert_eq!(since(&TargetId::new(NOON)), NOON - MARGIN);
    }

    #[test]
    fn it_goes_back_with_a_clock_that_is_set_back() {
        let (now, backlog) = (NOON - HOUR, backlog(NOON));
        let horizon = looked(std::slice::from_ref(&backlog));
        for target in [&backlog.target_id, &TargetId::new(NOON)] {
            assert_eq!(horizon.since(target, now), now - MARGIN);
        }
    }

    #[test]
    fn targets_noted_during_a_full_look_are_known_after_it() {
        let (mut horizon, before, during) = (looked(&[]), TargetId::new(NOON), TargetId::new(NOON));
        horizon.note(&before);
        assert_eq!(horizon.reach(NOON), Reach::Known(vec![(before, NOON - MARGIN)]));
        horizon.forget();
        assert_eq!(horizon.reach(NOON), Reach::Full);
        horizon.note(&during);
        horizon.looked(&[], NOON);
        assert_eq!(horizon.reach(NOON), Reach::Known(vec![(during, NOON - MARGIN)]));
    }
}
