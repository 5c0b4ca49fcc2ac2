//! The loop that decides what is sent next.
//!
//! It waits neither for a receiver nor for the database: attempts are tasks, and
//! so are its errands to the database, one at a time.

mod database_tasks;
mod horizon;

use std::collections::HashSet;
use std::time::Duration;

use entity::{TargetId, TargetStatus};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::app::wakeup::Rung;
use crate::delivery::Stopping;
use crate::delivery::attempt::job::Parcel;
use crate::delivery::attempt::recipients::Addresses;
use crate::delivery::attempt::task::{Place, Reports, deliver};
use crate::delivery::buffer::Shelf;
use crate::delivery::buffer::window::Went;
use crate::delivery::dispatcher::database_tasks::{Done, Errand};
use crate::delivery::dispatcher::horizon::Horizon;
use crate::delivery::writer::settle::Ended;
use crate::store::deliveries::Lane;

/// When requests of many slow targets end together, one claim had better serve most of them. So a claim of
/// less than [`FEW`] deliveries, for less than one in [`FEW_LANES`] of the lanes that have something due,
/// is not made until this long after the one before.
const PAUSE: Duration = Duration::from_millis(10);
const FEW: u64 = 32;
const FEW_LANES: usize = 4;

/// What the other tasks tell the dispatcher.
#[derive(Debug)]
pub enum Signal {
    /// A request has ended, or its task has; the lane has room for another.
    Freed { target: TargetId, weight: usize, went: Went },
    /// Something was put on the shelf, or will not be.
    Stocked,
    /// Outcomes were written down.
    Settled,
}

/// The state of the loop.
#[derive(Debug)]
pub struct Dispatcher {
    app: App,
    tasks: TaskTracker,
    stopping: Stopping,
    reports: Reports,
    shelf: Shelf,
    /// Whether the database is to be looked through.
    is_look_due: bool,
    /// How far back looks and claims go.
    horizon: Horizon,
    /// Targets whose waiting deliveries have to be ended without being sent.
    sweeps: HashSet<TargetId>,
    /// The errand that is under way, and whether the one before was a claim.
    errand: Option<JoinHandle<Done>>,
    has_just_claimed: bool,
    /// When a few may be claimed again, and whether that is waited for.
    few_at: Instant,
    is_put_off: bool,
    /// Who waits for the engine to have nothing to do, by the look that is under way and by the next.
    idlers: Vec<oneshot::Sender<()>>,
    newcomers: Vec<oneshot::Sender<()>>,
}

impl Dispatcher {
    /// A dispatcher that has nothing to do yet.
    pub fn new(app: App, tasks: TaskTracker, stopping: Stopping, shelf: Shelf, reports: Reports) -> Self {
        Self {
            app,
            tasks,
            stopping,
            reports,
            shelf,
            is_look_due: false,
            horizon: Horizon::default(),
            sweeps: HashSet::new(),
            errand: None,
            has_just_claimed: false,
            few_at: Instant::now(),
            is_put_off: false,
            idlers: Vec::new(),
            newcomers: Vec::new(),
        }
    }

    /// Works until the engine stops, and gives back what it holds then.
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
            self.start_attempts();
            self.send_errand();
            tokio::select! {
                () = stop.cancelled() => break,
                rung = bell.heard() => self.answer_bell(rung),
                Some(signal) = signals.recv() => self.hear(signal, &mut signals),
                _ = look.tick() => self.is_look_due = true,
                () = sleep_until(self.few_at), if self.is_put_off => {}
                Some(idler) = idlers.recv() => self.newcomers.push(idler),
                done = ended(&mut self.errand) => self.take_in(done),
            }
        }
        self.give_back(signals).await;
    }

    fn answer_bell(&mut self, rung: Rung) {
        let mut lanes = self.shelf.lanes();
        for target in rung.due {
            self.horizon.note(&target);
            lanes.feed(target);
        }
        drop(lanes);
        if rung.everywhere {
            self.look_fully();
        }
        self.call_others();
    }

    /// Takes in what has been said meanwhile too, so that one claim serves many ends.
    fn hear(&mut self, first: Signal, more: &mut mpsc::UnboundedReceiver<Signal>) {
        let mut lanes = self.shelf.lanes();
        let mut next = Some(first);
        while let Some(signal) = next {
            match signal {
                Signal::Freed { target, weight, went } => {
                    if went != Went::Well {
                        self.horizon.note(&target);
                    }
                    lanes.freed(&target, weight, went);
                }
                Signal::Stocked | Signal::Settled => {}
            }
            next = more.try_recv().ok();
        }
    }

    fn start_attempts(&self) {
        let now = Instant::now();
        let mut lanes = self.shelf.lanes();
        while let Some((parcel, weight, wait)) = lanes.next(now) {
            let place = Place::new(&parcel, weight, &self.shelf, &self.reports);
            self.tasks.spawn(deliver(self.app.clone(), parcel, wait, self.stopping.clone(), place));
        }
    }

    /// Looks come first, because what is overdue depends on them; claims and sweeps take turns.
    fn send_errand(&mut self) {
        self.is_put_off = false;
        if self.errand.is_some() {
            return;
        }
        let errand = if self.is_look_due || self.has_to_look_for_idlers() {
            self.is_look_due = false;
            self.idlers.append(&mut self.newcomers);
            if !self.idlers.is_empty() {
                self.horizon.forget();
            }
            let reach = self.horizon.reach(self.app.now());
            Errand::Look { reach, held: self.shelf.lanes().unsent() }
        } else if let Some(errand) = self.claim_or_sweep() {
            errand
        } else {
            return;
        };
        self.has_just_claimed = matches!(errand, Errand::Claim(_));
        if self.has_just_claimed {
            self.few_at = Instant::now() + PAUSE;
        }
        self.errand = Some(self.tasks.spawn(database_tasks::run(
            self.app.clone(),
            self.shelf.addresses().clone(),
            errand,
        )));
    }

    fn claim_or_sweep(&mut self) -> Option<Errand> {
        let claim = self.claim();
        let sweep = self.sweeps.iter().next().cloned().map(Errand::Sweep);
        if self.has_just_claimed { sweep.or(claim) } else { claim.or(sweep) }
    }

    fn claim(&mut self) -> Option<Errand> {
        let (mut rooms, hungry) = {
            let lanes = self.shelf.lanes();
            (lanes.rooms(), lanes.hungry())
        };
        let size: u64 = rooms.iter().map(|room| room.size).sum();
        let are_few = (1..FEW).contains(&size) && rooms.len() * FEW_LANES < hungry;
        self.is_put_off = are_few && Instant::now() < self.few_at;
        let now = self.app.now();
        for room in &mut rooms {
            room.since = self.horizon.since(&room.target, now);
        }
        (size > 0 && !self.is_put_off).then_some(Errand::Claim(rooms))
    }

    fn take_in(&mut self, done: Done) {
        match done {
            Done::Looked { lanes, addresses, full_at } => {
                if let Some(full_at) = full_at {
                    self.horizon.looked(&lanes, full_at);
                }
                self.take_in_look(lanes, &addresses);
            }
            Done::Claimed { rooms, parcels } => {
                self.shelf.claimed(&rooms, parcels);
                self.call_others();
            }
            Done::Swept { target, is_clean } => {
                if is_clean {
                    self.sweeps.remove(&target);
                }
            }
            Done::Failed => self.look_fully(),
        }
    }

    /// What is known may be wrong: all is to be looked through, as soon as may be.
    fn look_fully(&mut self) {
        self.is_look_due = true;
        self.horizon.forget();
    }

    /// What there is no room for here, other replicas may have room for.
    fn call_others(&self) {
        let lanes = self.shelf.lanes();
        if lanes.are_overfed() {
            self.app.herald.call(|| lanes.overfed());
        }
    }

    /// What nobody rang for: retries that have become due, leases that ran out, and deliveries
    /// whose target was deactivated or removed.
    fn take_in_look(&mut self, found: Vec<Lane>, addresses: &Addresses) {
        let now = self.app.now();
        self.app.pulse.beat(found.iter().map(|lane| lane.due_at).min());
        self.shelf.readdress(addresses);
        for lane in found {
            match lane.status {
                None | Some(TargetStatus::Deactivated) => {
                    self.sweeps.insert(lane.target_id);
                }
                Some(_) if lane.due_at <= now => self.shelf.lanes().feed(lane.target_id),
                Some(_) => {}
            }
        }
        if self.is_idle() {
            for idler in self.idlers.drain(..) {
                idler.send(()).ok();
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.errand.is_none() && !self.is_look_due && self.sweeps.is_empty() && self.shelf.is_empty()
    }

    /// They believe only a look that was begun when there seemed to be nothing to do any more.
    fn has_to_look_for_idlers(&self) -> bool {
        !(self.idlers.is_empty() && self.newcomers.is_empty()) && self.is_idle()
    }

    /// Waits for what is still to come, and makes all that was not begun due again at once.
    async fn give_back(mut self, mut signals: mpsc::UnboundedReceiver<Signal>) {
        let mut rest = self.shelf.lanes().close();
        if let Done::Claimed { rooms, parcels } = ended_if_any(&mut self.errand).await {
            self.shelf.claimed(&rooms, parcels);
        }
        while self.shelf.lanes().are_expecting() && signals.recv().await.is_some() {}
        rest.extend(self.shelf.lanes().close());
        for Parcel { delivery, .. } in rest {
            self.reports.0.send(Ended::GivenBack(delivery)).await.ok();
        }
    }
}

/// The end of the errand; if there is none, it never comes.
async fn ended(errand: &mut Option<JoinHandle<Done>>) -> Done {
    match errand {
        Some(_) => ended_if_any(errand).await,
        None => std::future::pending().await,
    }
}

async fn ended_if_any(errand: &mut Option<JoinHandle<Done>>) -> Done {
    let Some(task) = errand else { return Done::Failed };
    let done = task.await.unwrap_or(Done::Failed);
    *errand = None;
    done
}
