//! What time it is: the only place that asks the system.
//!
//! Everything else takes `now` from its caller, so that tests can move the
//! clock by hand.

mod steady;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::Utc;
use entity::Timestamp;
use rustix::time::{ClockId, clock_gettime};

pub use steady::{Detour, Jump, Steady, TOLERANCE};

/// Goes on while the machine sleeps, as time does.
#[cfg(target_os = "linux")]
const RUNNING: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const RUNNING: ClockId = ClockId::Monotonic;

/// A source of the current time, cut to milliseconds.
#[derive(Clone)]
pub enum Clock {
    /// The system's time.
    System,
    /// A time that goes on as it did when the system's is changed.
    Steady(Steady),
    /// The time that somebody shows.
    ByHand(ManualClock),
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self::System
    }

    /// The time that `hand` shows.
    pub fn by_hand(hand: &ManualClock) -> Self {
        Self::ByHand(hand.clone())
    }

    /// The current time: what is kept and what schedules go by.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_time(),
            Self::Steady(steady) => steady.now(),
            Self::ByHand(hand) => hand.shows(),
        }
    }

    /// The current time, and what the clocks of others show at the same moment, as far as is known: that is
    /// what a signature is stamped with, since receivers compare it with their own.
    pub fn with_stamp(&self) -> (Timestamp, Timestamp) {
        match self {
            Self::Steady(steady) => steady.with_followed(),
            Self::System | Self::ByHand(_) => {
                let now = self.now();
                (now, now)
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's time")]
fn system_time() -> Timestamp {
    Utc::now().into()
}

/// What runs evenly, whatever is done to the clocks that show the time.
#[derive(Debug, Clone)]
pub enum Runner {
    /// The machine, since it was started.
    Machine,
    /// A hand of somebody.
    ByHand(ManualClock),
}

impl Runner {
    /// How many milliseconds it has been running.
    pub fn millis(&self) -> i64 {
        match self {
            Self::Machine => {
                let since_start = clock_gettime(RUNNING);
                since_start.tv_sec * 1_000 + since_start.tv_nsec / 1_000_000
            }
            Self::ByHand(hand) => hand.shows().as_millis(),
        }
    }
}

/// The hand of a clock that stands still until somebody moves it.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A hand that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_millis())))
    }

    /// Where it stands.
    pub fn shows(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves it back.
    pub fn turn_back(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_sub(millis, Ordering::SeqCst);
    }
}
