//! Quotas: so much in so long, and how much of it is left (G12).
//!
//! Time is cut into windows. A window begins with the first use after the one before has
//! ended, so whoever waits until its end finds the whole quota again.

use std::time::Duration;

use entity::Timestamp;

/// How much may be used in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How much.
    pub limit: u32,
    /// In how long.
    pub per: Duration,
}

/// What was used of a quota in the window that began last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    since: Timestamp,
    amount: u32,
}

impl Used {
    /// Uses `amount`, or answers after how long it will be there. What is not given is not counted.
    ///
    /// # Errors
    /// With the time that is left of the window.
    pub(crate) fn take(&mut self, amount: u32, quota: Quota, now: Timestamp) -> Result<(), Duration> {
        if self.has_ended(quota, now) {
            *self = Self { since: now, amount: 0 };
        }
        if amount > quota.limit.saturating_sub(self.amount) {
            return Err(quota.per.saturating_sub(now.since(self.since)));
        }
        self.amount += amount;
        Ok(())
    }

    /// Undoes a use.
    pub(crate) fn give_back(&mut self, amount: u32) {
        self.amount = self.amount.saturating_sub(amount);
    }

    /// How much is left.
    pub(crate) fn remaining(&self, quota: Quota, now: Timestamp) -> u32 {
        if self.has_ended(quota, now) { quota.limit } else { quota.limit.saturating_sub(self.amount) }
    }

    /// Whether nothing that was used counts any more. A clock that was turned back ends a window.
    pub(crate) fn has_ended(&self, quota: Quota, now: Timestamp) -> bool {
        now < self.since || now.since(self.since) >= quota.per
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { limit: 10, per: Duration::from_secs(10) };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_790_000_000_000 + millis)
    }

    #[test]
    fn a_window_begins_with_the_first_use_and_has_a_limit() {
        let mut used = Used::default();
        for (amount, millis, taken, remaining) in [
            (6, 0, Ok(()), 4),
            (5, 1_000, Err(9_000), 4),
            (4, 2_500, Ok(()), 0),
            (1, 9_999, Err(1), 0),
            (0, 9_999, Ok(()), 0),
            (10, 10_000, Ok(()), 0),
            (1, 10_000, Err(10_000), 0),
            (11, 60_000, Err(10_000), 10),
            (1, -5_000, Ok(()), 9),
        ] {
            let expected = taken.map_err(Duration::from_millis);
            assert_eq!(used.take(amount, QUOTA, at(millis)), expected, "{amount} at {millis}");
            assert_eq!(used.remaining(QUOTA, at(millis)), remaining, "{amount} at {millis}");
        }
    }

    #[test]
    fn returned_amounts_can_be_used_again() {
        let mut used = Used::default();
        used.take(10, QUOTA, at(0)).unwrap();
        used.give_back(3);
        assert_eq!(used.remaining(QUOTA, at(0)), 3);
        used.give_back(100);
        assert_eq!(used.remaining(QUOTA, at(0)), 10);
    }
}
