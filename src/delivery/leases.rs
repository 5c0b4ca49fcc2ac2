//! Holds on to what was claimed until it is settled.
//!
//! A lease is long enough for an attempt, but not for a database that is away
//! for a while; so leases are renewed as long as their holder lives.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::delivery;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::Result;
use crate::store::deliveries::{self, Claim, claim_of};

/// How many leases are renewed in one transaction.
const BATCH: usize = 1_000;

/// The claims of this process that are not settled yet. Cheap to clone; all clones share them.
#[derive(Debug, Clone, Default)]
pub struct Leases(Arc<Mutex<HashSet<Claim>>>);

impl Leases {
    /// These were claimed.
    pub fn take<'a>(&self, claimed: impl Iterator<Item = &'a delivery::Model>) {
        self.held().extend(claimed.map(claim_of));
    }

    /// These are settled.
    pub fn end<'a>(&self, settled: impl Iterator<Item = &'a delivery::Model>) {
        let mut held = self.held();
        for delivery in settled {
            held.remove(&claim_of(delivery));
        }
    }

    /// Nothing is claimed that is not settled.
    pub fn are_settled(&self) -> bool {
        self.held().is_empty()
    }

    fn held(&self) -> MutexGuard<'_, HashSet<Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews what is held three times within a lease, until the engine stops.
pub async fn run(app: App, leases: Leases, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(app.settings.lease / 3)).await.is_some() {
        if let Err(error) = renew(&app, &leases).await {
            tracing::error!(%error, "leases could not be renewed");
        }
    }
}

async fn renew(app: &App, leases: &Leases) -> Result<()> {
    let held: Vec<Claim> = leases.held().iter().cloned().collect();
    for claims in held.chunks(BATCH) {
        let tx = app.db.begin().await?;
        deliveries::renew(&tx, claims, app.now() + app.settings.lease).await?;
        tx.commit().await?;
    }
    Ok(())
}
