//! Holds on to what was claimed until it is settled.
//!
//! A lease is long enough for an attempt, but not for a database that is away
//! for a while; so leases of what is in flight are renewed as long as their
//! holder lives.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::{Timestamp, delivery};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::delivery::settle::Ended;
use crate::delivery::shelf::Shelf;
use crate::error::{Result, report};
use crate::store::claims::{self, Claim, claim_of};

/// How many leases are renewed in one transaction: few, because others want to write meanwhile.
const BATCH: usize = 64;

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
    fn ending_before(&self, then: Timestamp) -> HashSet<Claim> {
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
/// tries. What is in flight is renewed. What has waited in memory for so long is given back, because
/// its lane does not move: it waits in the database until there is a place for it.
pub async fn run(app: App, shelf: Shelf, ended: mpsc::Sender<Ended>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(app.settings.lease / 6)).await.is_some() {
        let mut ending = shelf.leases().ending_before(app.now() + app.settings.lease / 2);
        if ending.is_empty() {
            continue;
        }
        let unmoved = shelf.lanes().withdraw(|parcel| ending.contains(&claim_of(&parcel.delivery)));
        for parcel in &unmoved {
            ending.remove(&claim_of(&parcel.delivery));
        }
        if let Err(error) = renew(&app, shelf.leases(), ending).await {
            report("leases could not be renewed", &error);
        }
        for parcel in unmoved {
            ended.send(Ended::GivenBack(parcel.delivery)).await.ok();
        }
    }
}

async fn renew(app: &App, leases: &Leases, ending: HashSet<Claim>) -> Result<()> {
    let ending: Vec<Claim> = ending.into_iter().collect();
    for claims in ending.chunks(BATCH) {
        let until = app.now() + app.settings.lease;
        let tx = app.db.begin().await?;
        let renewed = claims::renew(&tx, claims, until).await?;
        tx.commit().await?;
        leases.extend(&renewed, until);
    }
    Ok(())
}
