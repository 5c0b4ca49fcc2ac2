//! Holds on to what was claimed until it is settled.
//!
//! A lease is long enough for an attempt, but not for a database that is away
//! for a while; so leases are renewed as long as their holder lives, and their
//! targets keep up.

use std::time::Duration;

use entity::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::delivery::attempt::job::Job;
use crate::delivery::buffer::Buffer;
use crate::delivery::buffer::leases::Leases;
use crate::error::{Result, report};
use crate::store::claims::{self, Claim};

/// How many leases are renewed in one transaction, and how many deliveries let go at a time: few, because
/// others want to write meanwhile, or to send.
const RENEWED: usize = 64;
const LET_GO: usize = 256;
const PAUSE: Duration = Duration::from_millis(5);

/// Until the engine stops, sees to what has less than half of its lease left: there is time for a few
/// tries. What waits for a target that does not keep up is let go instead, without a word to the
/// database: when its lease has run out it is due again, and claimed when there is a place for it.
pub async fn run(app: App, buffer: Buffer, stop: CancellationToken) {
    while stop.run_until_cancelled(sleep(app.settings.lease / 6)).await.is_some() {
        let soon = app.now() + app.settings.lease / 2;
        let_go(&buffer, soon).await;
        if let Err(error) = renew(&app, buffer.leases(), buffer.leases().ending_before(soon)).await {
            report("leases could not be renewed", &error);
        }
    }
}

/// Lets go what has a lease that ends before then, and waits for a target that does not keep up.
async fn let_go(buffer: &Buffer, then: Timestamp) {
    loop {
        let stuck = buffer.lanes().withdraw(|Job { delivery, .. }| delivery.due_at < Some(then), LET_GO);
        if stuck.is_empty() {
            return;
        }
        buffer.leases().end(stuck.iter().map(|job| &job.delivery));
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
