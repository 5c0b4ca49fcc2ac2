//! What was broken, and how the servers took it.

use std::time::Duration;

use entity::Timestamp;

/// What was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A server was killed.
    Kill,
    /// A server was held with all that it had in hand, and let go.
    Hold,
    /// The database crashed and came back.
    Database,
    /// The disk took nothing more for a while.
    Disk,
    /// Connections to the database were cut, most of them within a statement.
    Cut,
}

/// Something was broken for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interruption {
    pub kind: Kind,
    /// The number of the server; none if it concerned all.
    pub server: Option<u32>,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// What was broken in all, and how the servers took it.
#[derive(Default)]
pub(crate) struct Faults {
    pub interruptions: Vec<Interruption>,
    /// How many servers ended by themselves while they should not.
    pub gave_up: u32,
    /// How many breaks of the disk the server met.
    pub refusals: u64,
    /// How many connections were cut.
    pub cuts: u64,
    /// How many events that had been acknowledged were not there after something broke.
    pub missing: u64,
    /// How many were looked for then.
    pub looked_for: u64,
    /// How many were killed before they listened.
    pub stumbles: u64,
    /// What was to be broken at least once.
    pub intended: Vec<Kind>,
    /// The longest that a start took.
    pub slowest_start: Duration,
    /// How many were not ready in time when the database was back.
    pub never_ready: u32,
    /// The longest that servers took to be ready when the database was back.
    pub slowest_return: Duration,
    /// How many of the last ones did not end well when they were asked to.
    pub bad_ends: u32,
}

impl Faults {
    /// For how long something of this kind was broken, each time.
    pub(crate) fn broken(&self, kind: Kind) -> impl Iterator<Item = Duration> {
        let of_kind = self.interruptions.iter().filter(move |broken| broken.kind == kind);
        of_kind.map(|broken| broken.until.since(broken.from))
    }
}
