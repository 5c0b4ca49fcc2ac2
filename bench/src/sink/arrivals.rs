//! What has come to the sink.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::sink;

/// How much has come to healthy targets, and what hangs.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    /// Different notifications: a target and an event.
    pub different: usize,
    /// Notifications that came again.
    pub repeated: usize,
    /// Requests without a signature or an event.
    pub strange: usize,
    /// Requests that wait for their answer.
    pub hanging: usize,
}

/// All that has come.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    count: Count,
    different: HashSet<(u16, u128)>,
    /// Those that nobody has asked for yet.
    new: Vec<(u128, u64)>,
}

impl Arrivals {
    /// A notification has come to a healthy target.
    pub(crate) fn add(&mut self, target: u16, event: u128) {
        if self.different.insert((target, event)) {
            self.count.different += 1;
        } else {
            self.count.repeated += 1;
        }
        self.new.push((event, sink::now()));
    }

    /// Something else has come.
    pub(crate) fn add_strange(&mut self) {
        self.count.strange += 1;
    }

    /// A request begins to hang.
    pub(crate) fn hang(&mut self) {
        self.count.hanging += 1;
    }

    /// A request has hung long enough.
    pub(crate) fn release(&mut self) {
        self.count.hanging -= 1;
    }

    /// How much it is.
    pub(crate) fn count(&self) -> Count {
        self.count
    }

    /// The arrivals since the last call.
    pub(crate) fn take(&mut self) -> Vec<(u128, u64)> {
        std::mem::take(&mut self.new)
    }
}
