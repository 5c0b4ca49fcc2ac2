//! Holds on to what was claimed until it is settled.
//!
//! A lease is long enough for an attempt, but not for a database that is away
//! for a while; so leases are renewed as long as their holder lives, and their
//! targets keep up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use entity::{Timestamp, delivery};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::delivery::attempt::job::Parcel;
use crate::delivery::buffer::Shelf;
use crate::error::{Result, report};
use crate::store::claims::{self, Claim, claim_of};

/// How many leases are renewed in one transaction, and how many deliveries let go at a time: few, because
/// others want to write meanwhile, or to send.
const RENEWED: usize = 64;
const LET_GO: usize = 256;
const PAUSE: Duration = Duration::from_millis(5);

/// The claims of this process that are not settled yet, each with the end of its lease. Cheap to
/// clone; all clones share them.
#[derive(Debug, Clone, Default)]
pub struct Leases(Arc<Mutex<HashMap<Claim, Timestamp>>>);

impl Leases {
    /// These were claimed.
    pub fn take<'a>(&self, claimed: impl Iterator<Item = &'a delivery::Model>) {
        let lease = |delivery: &delivery::Model| (claim_of(delivery), delivery.due_at.unwrap_or_default());
        self.held().extend(claimed.map(lease));
    }

    /// These are settled.
    pub fn end<'a>(&self, settled: impl Iterator<Item = &'a delivery::Model>) {
        let mut held = self.held();
        for delivery in settled {
            held.remove(&claim_of(delivery));
        }
    }

    /// Whether the delivery is still ours. A server that stood still for long has lost what it had
    /// claimed, and somebody else may have sent it.
    pub fn is_running(&self, delivery: &delivery::Model, now: Timestamp) -> bool {
        self.held().get(&claim_of(delivery)).is_some_and(|until| now < *until)
    }

    /// Nothing is claimed that is not settled.
    pub fn are_settled(&self) -> bool {
        self.held().is_empty()
    }

    /// What ends before then.
    fn ending_before(&self, then: Timestamp) -> Vec<Claim> {
        let held = self.held();
        held.iter().filter(|(_, until)| **until < then).map(|(claim, _)| claim.clone()).collect()
    }

    /// These were renewed.
    fn extend(&self, renewed: &[Claim], until: Timestamp) {
        let mut held = self.held();
        for claim in renewed {
            if let Some(lease) = held.get_mut(claim) {
                *lease = until;
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Claim, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until the engine stops, sees to what has less than half of its lease left: there is time for a few
/// tries. What waits for a target that does not keep up is let go instead, without a word to the
/// database: when its lease has run out it is due again, and claimed when there is a place for it.
pub async fn run(app: App, shelf: Shelf, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(app.settings.lease / 6)).await.is_some() {
        let soon = app.now() + app.settings.lease / 2;
        let_go(&shelf, soon).await;
        if let Err(error) = renew(&app, shelf.leases(), shelf.leases().ending_before(soon)).await {
            report("leases could not be renewed", &error);
        }
    }
}

/// Lets go what has a lease that ends before then, and waits for a target that does not keep up.
async fn let_go(shelf: &Shelf, then: Timestamp) {
    loop {
        let stuck = shelf.lanes().withdraw(|Parcel { delivery, .. }| delivery.due_at < Some(then), LET_GO);
        if stuck.is_empty() {
            return;
        }
        shelf.leases().end(stuck.iter().map(|parcel| &parcel.delivery));
        drop(stuck);
        sleep(PAUSE).await;
    }
}

async fn renew(app: &App, leases: &Leases, ending: Vec<Claim>) -> Result<()> {
    for claims in ending.chunks(RENEWED) {
        let until = app.now() + app.settings.lease;
        let tx = app.db.begin().await?;
        let renewed = claims::renew(&tx, claims, until).await?;
        tx.commit().await?;
        leases.extend(&renewed, until);
    }
    Ok(())
}
