//! Keeps failed logins from costing much: each of them is a statement in the database.
//!
//! Keys cannot be guessed, so nobody is locked out. A key that was good here before is always looked
//! up, and whether it is still good is asked of the database each time (G13); others wait while too
//! many have failed.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use entity::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use crate::quota::limits::FailedLogins;
use crate::rules::quota::Used;

/// How many addresses and how many keys are remembered.
const REMEMBERED: usize = 50_000;

/// The logins of this process.
#[derive(Debug, Default)]
pub(crate) struct LoginThrottle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The hashes of keys that were good once.
    known: HashSet<String>,
    failed: Used,
    failed_from: HashMap<IpAddr, Used>,
}

impl LoginThrottle {
    /// Counts a login as failed before anybody looks for its key; [`Self::undo`] takes that back.
    ///
    /// # Errors
    /// When too many have failed; with the time to wait.
    pub(crate) fn attempt(&self, from: IpAddr, limits: FailedLogins, now: Timestamp) -> Result<(), Duration> {
        let mut state = self.state();
        let from = network(from);
        state.forget(limits, now);
        // Strangers beyond those that are remembered count together only.
        if state.failed_from.len() < REMEMBERED || state.failed_from.contains_key(&from) {
            state.failed_from.entry(from).or_default().take(1, limits.of_one(), now)?;
        }
        let taken = state.failed.take(1, limits.of_all(), now);
        if taken.is_err() {
            state.give_back(from);
        }
        taken
    }

    /// The login that was counted has not failed.
    pub(crate) fn undo(&self, from: IpAddr) {
        let mut state = self.state();
        state.give_back(network(from));
        state.failed.give_back(1);
    }

    /// Notes that the key of this hash is good.
    pub(crate) fn remember(&self, hash: String) {
        let mut state = self.state();
        if state.known.len() >= REMEMBERED {
            state.known.clear();
        }
        state.known.insert(hash);
    }

    /// Whether the key of this hash was good before.
    pub(crate) fn knows(&self, hash: &str) -> bool {
        self.state().known.contains(hash)
    }

    /// Notes that the key of this hash is not good any more.
    pub(crate) fn forget(&self, hash: &str) {
        self.state().known.remove(hash);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl State {
    fn give_back(&mut self, from: IpAddr) {
        if let Some(used) = self.failed_from.get_mut(&from) {
            used.give_back(1);
        }
    }

    /// Forgets the addresses whose failures do not count any more, when there are many.
    fn forget(&mut self, limits: FailedLogins, now: Timestamp) {
        if self.failed_from.len() >= REMEMBERED {
            self.failed_from.retain(|_, used| !used.has_ended(limits.of_one(), now));
        }
    }
}

/// What counts as one address: whoever has an IPv6 address has 2⁶⁴ of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FailedLogins = FailedLogins { per_address: 2, in_all: 3 };

    #[test]
    fn an_ipv6_network_is_one_address() {
        for (address, one) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(network(address.parse().unwrap()), one.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn failures_are_counted_for_each_address_and_in_all() {
        let (logins, now) = (LoginThrottle::default(), Timestamp::from_millis(1_790_000_000_000));
        let [a, b, c] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let minute = Duration::from_secs(60);
        assert_eq!(logins.attempt(a, LIMITS, now), Ok(()));
        assert_eq!(logins.attempt(a, LIMITS, now), Ok(()));
        assert_eq!(logins.attempt(a, LIMITS, now), Err(minute));
        assert_eq!(logins.attempt(b, LIMITS, now), Ok(()));
        assert_eq!(logins.attempt(c, LIMITS, now), Err(minute));
        logins.undo(b);
        logins.remember("hash".to_owned());
        assert_eq!(logins.attempt(c, LIMITS, now), Ok(()));
        assert_eq!(logins.attempt(a, LIMITS, now + minute), Ok(()));
        assert!(logins.knows("hash") && !logins.knows("other"));
        logins.forget("hash");
        assert!(!logins.knows("hash"));
    }
}
