//! What this process has claimed: the lanes that it waits in, and the leases that
//! keep it ours. The dispatcher takes from it, the writer adds to it.

pub(crate) mod holding;
pub(crate) mod lane;
pub(crate) mod lanes;
pub(crate) mod leases;
pub(crate) mod part;
pub(crate) mod renewal;
pub(crate) mod window;

use std::sync::Arc;

use entity::{DeliveryState, TargetId, Timestamp, delivery};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;

use crate::delivery::attempt::job::Job;
use crate::delivery::attempt::recipients::{KnownRecipients, Recipients};
use crate::delivery::buffer::lanes::{Lanes, Limits};
use crate::delivery::buffer::leases::Leases;
use crate::delivery::signal::Signal;
use crate::store::claims::Demand;

/// Cheap to clone; all clones share it.
#[derive(Debug, Clone)]
pub(super) struct Buffer {
    lanes: Arc<Mutex<Lanes<Job>>>,
    leases: Leases,
    recipients: Recipients,
    signals: mpsc::UnboundedSender<Signal>,
}

impl Buffer {
    /// An empty buffer. `signals` hears when something was put on it.
    pub(super) fn new(
        limits: Limits,
        leases: Leases,
        recipients: Recipients,
        signals: mpsc::UnboundedSender<Signal>,
    ) -> Self {
        Self { lanes: Arc::new(Mutex::new(Lanes::new(limits))), leases, recipients, signals }
    }

    /// The lanes.
    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes<Job>> {
        self.lanes.lock()
    }

    /// The leases.
    pub(super) fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Where it all goes.
    pub(super) fn recipients(&self) -> &Recipients {
        &self.recipients
    }

    /// Nothing is claimed, and nothing due as far as is known.
    pub(super) fn is_empty(&self) -> bool {
        self.leases.are_settled() && self.lanes().are_quiet()
    }

    /// Takes in what was claimed for these demands.
    pub(super) fn claimed(&self, demands: &[Demand], jobs: Vec<Job>) {
        self.leases.take(jobs.iter().map(|job| &job.delivery));
        let brought = jobs.into_iter().map(|job| {
            let (target, weight) = (job.delivery.target_id.clone(), job.weight());
            (target, (job, weight))
        });
        self.lanes().claimed(demands, brought);
    }

    /// These are written down.
    pub(super) fn settled<'a>(&self, deliveries: impl Iterator<Item = &'a delivery::Model>) {
        self.leases.end(deliveries);
        self.signals.send(Signal::Settled).ok();
    }

    /// Claims, of deliveries that are about to be inserted, those that there is a place for. `weigh`
    /// tells how much room one takes; none, if it cannot be sent now.
    pub(super) fn promise(
        &self,
        rows: &mut [delivery::Model],
        weigh: impl Fn(&delivery::Model) -> Option<usize>,
        lease_until: Timestamp,
    ) -> Promises {
        let mut places = Vec::new();
        let mut lanes = self.lanes();
        for row in rows {
            let Some(weight) = weigh(row) else { continue };
            if lanes.promise(&row.target_id, weight) {
                row.state = DeliveryState::Claimed;
                row.due_at = Some(lease_until);
                row.claim += 1;
                places.push((row.target_id.clone(), weight));
            }
        }
        Promises { buffer: self.clone(), places, jobs: Vec::new() }
    }

    /// What was read again about the targets of what is in stock.
    pub(super) fn update_recipients(&self, recipients: &KnownRecipients) {
        let mut lanes = self.lanes();
        for (target, recipient) in recipients {
            lanes.stock_of(target).for_each(|job| job.update_recipients(recipient));
        }
    }
}

/// Places in the buffer for what is being written down. Dropped, they are free again.
#[derive(Debug)]
pub(super) struct Promises {
    buffer: Buffer,
    /// Of which target, and how much room.
    places: Vec<(TargetId, usize)>,
    /// What is put there once it is written down.
    jobs: Vec<Job>,
}

impl Promises {
    /// Says what they are for.
    #[must_use]
    pub(super) fn of(mut self, jobs: Vec<Job>) -> Self {
        self.jobs = jobs;
        self
    }

    /// It is written down: puts it there.
    pub(super) fn keep(mut self) {
        self.places.clear();
        let jobs = std::mem::take(&mut self.jobs);
        self.buffer.leases.take(jobs.iter().map(|job| &job.delivery));
        let mut lanes = self.buffer.lanes();
        for job in jobs {
            let (target, weight) = (job.delivery.target_id.clone(), job.weight());
            lanes.put(&target, job, weight);
        }
    }
}

impl Drop for Promises {
    fn drop(&mut self) {
        let mut lanes = self.buffer.lanes();
        self.places.drain(..).for_each(|(target, weight)| lanes.release(&target, weight));
        drop(lanes);
        self.buffer.signals.send(Signal::Stocked).ok();
    }
}
