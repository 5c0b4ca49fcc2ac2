//! What this server itself lacks to reach receivers.
//!
//! It is nobody's fault but ours, so it is no attempt: deliveries wait, and no receiver's patience is
//! used. Whoever runs the server is told: each kind at most once a minute in the log, and by `/readyz`
//! as long as it goes on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// For how long one is told after it was met, and not told again in the log.
const WHILE: Duration = Duration::from_secs(60);

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Trouble {
    /// EMFILE, ENFILE.
    #[error("this server may open no more files; raise its limit (ulimit -n, LimitNOFILE)")]
    Files,
    /// ENOBUFS, ENOMEM.
    #[error("this machine has no memory left for connections")]
    Memory,
    /// EADDRNOTAVAIL.
    #[error("this machine has no free port or address for a connection")]
    Ports,
    /// There is no way out of this machine.
    #[error("this machine has no route to the network")]
    Network,
    /// The resolver does not answer, or says that it cannot answer now.
    #[error("names cannot be looked up: the resolver of this machine says to try again, or nothing")]
    Resolver,
    /// Nobody could be trusted.
    #[error("this machine has no certificate authorities to trust: install ca-certificates")]
    Authorities,
}

/// No more connections can be kept.
#[derive(Debug, thiserror::Error)]
#[error("no more connections can be kept")]
pub(crate) struct NoRoom;

/// The authorities of the system are missing, and those that were added did not sign this certificate.
#[derive(Debug, thiserror::Error)]
#[error("the system has no certificate authorities")]
pub(crate) struct NoAuthorities(#[source] pub BoxError);

/// An error of any library.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What was met lately. Cheap to clone; all clones share it.
#[derive(Debug, Clone, Default)]
pub struct Troubles(Arc<Mutex<HashMap<Trouble, Met>>>);

#[derive(Debug)]
struct Met {
    last: Instant,
    told: Instant,
    times: u64,
}

impl Troubles {
    /// It was met, and something has to wait for its end.
    pub fn note(&self, trouble: Trouble) {
        if let Some(times) = self.count(trouble, Instant::now()) {
            tracing::warn!(times, "connections wait: {trouble}");
        }
    }

    /// How often it was met since it was told last, if it is to be told now.
    fn count(&self, trouble: Trouble, now: Instant) -> Option<u64> {
        let mut met = self.0.lock();
        let Some(met) = met.get_mut(&trouble) else {
            met.insert(trouble, Met { last: now, told: now, times: 0 });
            return Some(1);
        };
        (met.last, met.times) = (now, met.times + 1);
        if met.told + WHILE > now {
            return None;
        }
        met.told = now;
        Some(std::mem::take(&mut met.times))
    }

    /// The one that was met last, if that is not long ago.
    pub fn now(&self) -> Option<Trouble> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<Trouble> {
        let met = self.0.lock();
        let (trouble, met) = met.iter().max_by_key(|(_, met)| met.last)?;
        (now < met.last + WHILE).then_some(*trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_logged_once_a_minute_and_forgotten_a_minute_after_its_end() {
        let (troubles, now) = (Troubles::default(), Instant::now());
        assert_eq!(troubles.at(now), None);
        assert_eq!(troubles.count(Trouble::Files, now), Some(1));
        assert_eq!([0; 3].map(|_| troubles.count(Trouble::Files, now)), [None; 3]);
        assert_eq!(troubles.count(Trouble::Resolver, now), Some(1));
        let later = now + WHILE;
        assert_eq!(troubles.at(later), None);
        assert_eq!(troubles.count(Trouble::Files, later), Some(4));
        assert_eq!(troubles.at(later), Some(Trouble::Files));
    }
}
