//! Holds on to what was claimed until it is settled.
//!
//! A lease is long enough for an attempt, but not for a database that is away
//! for a while; so leases are renewed as long as their holder lives, and their
//! targets keep up.

use std::collections::HashMap;
use std::time::Duration;

use entity::{EventId, TargetId, Timestamp};
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
pub(crate) async fn run(app: App, buffer: Buffer, stop: CancellationToken) {
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
    for (target, latest) in latest_by_target(buffer.leases().ending_before(then)) {
        let is_ending = |Job { delivery, .. }: &Job| latest.get(&delivery.event_id) == Some(&delivery.claim);
        loop {
            let stuck = buffer.lanes().withdraw(&target, is_ending, LET_GO);
            if stuck.is_empty() {
                break;
            }
            buffer.leases().end(stuck.iter().map(|job| &job.delivery));
            drop(stuck);
            sleep(PAUSE).await;
        }
    }
}

/// The latest of these claims for each delivery: one that lapsed before is not in stock any more.
fn latest_by_target(claims: Vec<Claim>) -> HashMap<TargetId, HashMap<EventId, i64>> {
    let mut by_target: HashMap<_, HashMap<_, _>> = HashMap::new();
    for (event, target, claim) in claims {
        let latest = by_target.entry(target).or_default().entry(event).or_insert(claim);
        *latest = claim.max(*latest);
    }
    by_target
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

#[cfg(test)]
mod tests {
    use entity::{Purpose, delivery};
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;
    use crate::delivery::attempt::recipients::Recipients;
    use crate::delivery::buffer::lanes::Limits;
    use crate::delivery::buffer::window::Feedback;
    use crate::store::claims::claim_of;
    use crate::store::deliveries;
    use crate::vault::Vault;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const LEASE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn of_what_waits_for_a_slow_target_only_what_was_not_renewed_is_let_go() {
        let limits = Limits { per_lane: 1, in_flight: 8, held: 64, pace: Duration::ZERO };
        let (signals, _heard) = mpsc::unbounded_channel();
        let buffer = Buffer::new(limits, Leases::default(), Recipients::new(Vault::new(&[7; 32])), signals);
        let target = TargetId::new(NOW);
        let claimed = || {
            let due = deliveries::waiting(&EventId::new(NOW), &target, Purpose::Event, 0, NOW);
            delivery::Model { claim: 1, due_at: Some(NOW + LEASE), ..due }
        };
        let [sent, renewed, ending] = [claimed(), claimed(), claimed()];
        let jobs = [&sent, &renewed, &ending].map(|row| Job { delivery: row.clone(), contents: None });
        buffer.claimed(&[], jobs.into());
        buffer.leases().extend(&[claim_of(&renewed)], NOW + 2 * LEASE);

        buffer.lanes().next(Instant::now());
        let_go(&buffer, NOW + LEASE * 3 / 2).await;
        assert!(buffer.leases().is_running(&ending, NOW), "its target may keep up");
        buffer.lanes().freed(&target, 1, Feedback::Overloaded);
        let_go(&buffer, NOW + LEASE * 3 / 2).await;
        assert!(buffer.leases().is_running(&renewed, NOW + LEASE));
        assert!(!buffer.leases().is_running(&ending, NOW));
        assert_eq!(buffer.lanes().stock_of(&target).count(), 1);
    }
}
