//! What this process has claimed and not settled, and until when it is ours.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{Timestamp, delivery};
use parking_lot::{Mutex, MutexGuard};

use crate::store::claims::{Claim, claim_of};

/// The claims of this process that are not settled yet, each with the end of its lease. Cheap to
/// clone; all clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leases(Arc<Mutex<HashMap<Claim, Timestamp>>>);

impl Leases {
    /// These were claimed.
    pub(crate) fn take<'a>(&self, claimed: impl Iterator<Item = &'a delivery::Model>) {
        let lease = |delivery: &delivery::Model| (claim_of(delivery), delivery.due_at.unwrap_or_default());
        self.held().extend(claimed.map(lease));
    }

    /// These are settled.
    pub(crate) fn end<'a>(&self, settled: impl Iterator<Item = &'a delivery::Model>) {
        let mut held = self.held();
        for delivery in settled {
            held.remove(&claim_of(delivery));
        }
    }

    /// Whether the delivery is still ours. A server that stood still for long has lost what it had
    /// claimed, and somebody else may have sent it.
    pub(crate) fn is_running(&self, delivery: &delivery::Model, now: Timestamp) -> bool {
        self.held().get(&claim_of(delivery)).is_some_and(|until| now < *until)
    }

    /// Nothing is claimed that is not settled.
    pub(crate) fn are_settled(&self) -> bool {
        self.held().is_empty()
    }

    /// What ends before then.
    pub(crate) fn ending_before(&self, then: Timestamp) -> Vec<Claim> {
        let held = self.held();
        held.iter().filter(|(_, until)| **until < then).map(|(claim, _)| claim.clone()).collect()
    }

    /// These were renewed.
    pub(crate) fn extend(&self, renewed: &[Claim], until: Timestamp) {
        let mut held = self.held();
        for claim in renewed {
            if let Some(lease) = held.get_mut(claim) {
                *lease = until;
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Claim, Timestamp>> {
        self.0.lock()
    }
}
