//! The loop that claims what is due and starts its attempts.
//!
//! It never waits for a receiver, and never holds a transaction while one is
//! talked to. When the database fails it pauses and goes on.

use std::collections::HashSet;

use entity::{TargetId, TargetStatus, delivery};
use fail::fail_point;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::app::bell::Rung;
use crate::delivery::lanes::Lanes;
use crate::delivery::leases::Leases;
use crate::delivery::parcel::{self, Parcel};
use crate::delivery::settle::Ended;
use crate::delivery::{Stopping, send};
use crate::error::Result;
use crate::store::{deliveries, targets};

/// How many deliveries of one target are skipped or removed in one transaction.
const SWEEP: u64 = 500;

/// What the other tasks tell the dispatcher.
#[derive(Debug)]
pub enum Signal {
    /// A request has ended, or its task has; the lane has room for another.
    Freed(TargetId),
    /// Outcomes were written down.
    Settled,
}

/// Where attempts report to: their outcomes, and their ends.
pub type Reports = (mpsc::Sender<Ended>, mpsc::UnboundedSender<Signal>);

/// The state of the loop.
#[derive(Debug)]
pub struct Dispatcher {
    app: App,
    tasks: TaskTracker,
    stopping: Stopping,
    reports: Reports,
    lanes: Lanes,
    /// Targets whose waiting deliveries have to be ended without being sent.
    sweeps: HashSet<TargetId>,
    /// The claims that are not settled yet.
    leases: Leases,
    /// Who waits for the engine to have nothing to do.
    idlers: Vec<oneshot::Sender<()>>,
}

impl Dispatcher {
    /// A dispatcher that has nothing to do yet.
    pub fn new(app: App, tasks: TaskTracker, stopping: Stopping, leases: Leases, reports: Reports) -> Self {
        let lanes = Lanes::new(app.settings.target_concurrency, app.settings.concurrency);
        let (sweeps, idlers) = (HashSet::new(), Vec::new());
        Self { app, tasks, stopping, reports, lanes, sweeps, leases, idlers }
    }

    /// Works until the engine stops.
    pub async fn run(
        mut self,
        mut signals: mpsc::UnboundedReceiver<Signal>,
        mut idlers: mpsc::Receiver<oneshot::Sender<()>>,
    ) {
        let bell = self.app.bell.clone();
        let stop = self.stopping.claims.clone();
        let mut look = interval(self.app.settings.look_interval);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut is_time_to_look = false;
            tokio::select! {
                () = stop.cancelled() => return,
                rung = bell.heard() => is_time_to_look = self.answer_bell(rung),
                Some(signal) = signals.recv() => self.hear(signal, &mut signals),
                _ = look.tick() => is_time_to_look = true,
                Some(idler) = idlers.recv() => self.idlers.push(idler),
            }
            if let Err(error) = self.work(is_time_to_look).await {
                tracing::error!(%error, "the delivery engine pauses");
                sleep(self.app.settings.pause).await;
                look.reset_immediately();
            }
        }
    }

    fn answer_bell(&mut self, rung: Rung) -> bool {
        rung.due.into_iter().for_each(|target| self.lanes.feed(target));
        rung.everywhere
    }

    /// Takes in what has been said meanwhile too, so that one claim serves many ends.
    fn hear(&mut self, first: Signal, more: &mut mpsc::UnboundedReceiver<Signal>) {
        let mut next = Some(first);
        while let Some(signal) = next {
            match signal {
                Signal::Freed(target) => self.lanes.freed(&target),
                Signal::Settled => {}
            }
            next = more.try_recv().ok();
        }
    }

    /// Finds what nobody rang for: retries that have become due, leases that ran out, and
    /// deliveries whose target was deactivated or removed.
    async fn look_around(&mut self) -> Result<()> {
        let now = self.app.now();
        let lanes = deliveries::lanes(self.app.db.reader()).await?;
        self.app.pulse.beat(lanes.iter().map(|lane| lane.due_at).min());
        for lane in lanes {
            match lane.status {
                None | Some(TargetStatus::Deactivated) => {
                    self.sweeps.insert(lane.target_id);
                }
                Some(_) if lane.due_at <= now => self.lanes.feed(lane.target_id),
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn work(&mut self, is_time_to_look: bool) -> Result<()> {
        if is_time_to_look {
            self.look_around().await?;
        }
        while self.claim().await? + self.sweep().await? > 0 {}
        if !self.idlers.is_empty() && self.is_idle() {
            self.look_around().await?;
            while self.claim().await? + self.sweep().await? > 0 {}
            if self.is_idle() {
                for idler in self.idlers.drain(..) {
                    idler.send(()).ok();
                }
            }
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.leases.are_settled() && self.sweeps.is_empty() && self.lanes.are_quiet()
    }

    /// Claims for the lanes that have room, and starts the attempts. Answers how many.
    async fn claim(&mut self) -> Result<usize> {
        let rooms = self.lanes.rooms();
        if rooms.is_empty() {
            return Ok(0);
        }
        let now = self.app.now();
        let tx = self.app.db.begin().await?;
        let parcels = parcel::claim(&tx, &rooms, &self.app.vault, now, now + self.app.settings.lease).await?;
        tx.commit().await?;
        fail_point!("claimed", |_| Err(anyhow::anyhow!("a fault was injected").into()));
        let count = parcels.len();
        self.lanes.claimed(&rooms, parcels.iter().map(|parcel| &parcel.delivery.target_id));
        self.leases.take(parcels.iter().map(|parcel| &parcel.delivery));
        for parcel in parcels {
            let place = self.place(&parcel);
            self.tasks.spawn(deliver(self.app.clone(), parcel, self.stopping.clone(), place));
        }
        if self.lanes.are_overfed() {
            self.app.herald.call(|| self.lanes.overfed());
        }
        Ok(count)
    }

    fn place(&self, parcel: &Parcel) -> Place {
        Place {
            delivery: Some(parcel.delivery.clone()),
            target: parcel.delivery.target_id.clone(),
            leases: self.leases.clone(),
            reports: self.reports.clone(),
        }
    }

    /// Ends deliveries that are not to be sent any more, a bounded number at a time.
    async fn sweep(&mut self) -> Result<usize> {
        let Some(id) = self.sweeps.iter().next().cloned() else { return Ok(0) };
        let tx = self.app.db.begin().await?;
        let swept = match targets::list(&tx, vec![id.clone()]).await?.first() {
            Some(target) => deliveries::skip_missed(&tx, target, SWEEP, self.app.now()).await?,
            None => deliveries::remove_orphans(&tx, &id, SWEEP).await?,
        };
        tx.commit().await?;
        if swept < SWEEP {
            self.sweeps.remove(&id);
        }
        Ok(usize::try_from(swept).unwrap_or(usize::MAX))
    }
}

/// Makes one attempt and hands its outcome over; only then its place in the lane is free.
async fn deliver(app: App, parcel: Parcel, stopping: Stopping, mut place: Place) {
    let Parcel { delivery, contents } = parcel;
    let ended = match &contents {
        None => Ended::Gone(delivery),
        Some(contents) if contents.is_missed(&delivery) => {
            Ended::Attempted(send::skip(delivery, contents, app.now()))
        }
        Some(contents) => {
            let attempt = send::attempt(&app, delivery.clone(), contents);
            tokio::select! {
                outcome = attempt => Ended::Attempted(outcome),
                () = stopping.attempts.cancelled() => Ended::GivenBack(delivery),
            }
        }
    };
    fail_point!("sent", |_| {});
    place.hand_over(ended).await;
}

/// A place in a lane, and the claim that it was taken for.
///
/// However its holder ends, by a panic too, the place becomes free; and a claim without an
/// outcome is not renewed any more, so that somebody else takes the delivery.
struct Place {
    delivery: Option<delivery::Model>,
    target: TargetId,
    leases: Leases,
    reports: Reports,
}

impl Place {
    async fn hand_over(&mut self, ended: Ended) {
        if self.reports.0.send(ended).await.is_ok() {
            self.delivery = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leases.end(self.delivery.iter());
        self.reports.1.send(Signal::Freed(self.target.clone())).ok();
    }
}
