//! What time it is: the only place that asks the system.
//!
//! Everything else takes `now` from its caller, so that tests can move the
//! clock by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::Utc;
use entity::Timestamp;

/// A source of the current time, cut to milliseconds.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's time")]
    pub fn system() -> Self {
        Self(Arc::new(|| Utc::now().into()))
    }

    /// The system's time, moved by `offset`.
    pub fn aligned(offset: &Offset) -> Self {
        let (system, offset) = (Self::system(), offset.clone());
        Self(Arc::new(move || Timestamp::from_millis(system.now().as_millis() + offset.millis())))
    }

    /// The time that `hand` shows.
    pub fn by_hand(hand: &Hand) -> Self {
        let hand = hand.clone();
        Self(Arc::new(move || hand.shows()))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// By how much the system's time differs from another clock, in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Offset(Arc<AtomicI64>);

impl Offset {
    /// Notes a new difference.
    pub fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }

    fn millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The hand of a clock that stands still until somebody moves it.
#[derive(Debug, Clone)]
pub struct Hand(Arc<AtomicI64>);

impl Hand {
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
}
