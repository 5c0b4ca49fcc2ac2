//! The loop that decides what is sent next.
//!
//! It waits neither for a receiver nor for the database: attempts are tasks, and
//! so are its tasks to the database, one at a time.

mod database_tasks;
mod horizon;

use std::collections::HashSet;
use std::panic::resume_unwind;
use std::time::Duration;

use entity::TargetId;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::app::wakeup::Due;
use crate::delivery::attempt::job::Job;
use crate::delivery::attempt::recipients::KnownRecipients;
use crate::delivery::attempt::task::{Slot, deliver};
use crate::delivery::buffer::Buffer;
use crate::delivery::buffer::window::Feedback;
use crate::delivery::dispatcher::database_tasks::{DatabaseTask, Done};
use crate::delivery::dispatcher::horizon::Horizon;
use crate::delivery::signal::{Reports, Signal, Stopping};
use crate::delivery::writer::settle::Ended;
use crate::rules::target_status;
use crate::store::deliveries::Backlog;

/// When requests of many slow targets end together, one claim had better serve most of them. So a claim of
/// less than [`FEW`] deliveries, for less than one in [`FEW_LANES`] of the lanes that have something due,
/// is not made until this long after the one before.
const PAUSE: Duration = Duration::from_millis(10);
const FEW: u64 = 32;
const FEW_LANES: usize = 4;

/// The state of the loop.
#[derive(Debug)]
pub(super) struct Dispatcher {
    app: App,
    tasks: TaskTracker,
    stopping: Stopping,
    reports: Reports,
    buffer: Buffer,
    /// Whether the database is to be looked through.
    is_look_due: bool,
    /// How far back looks and claims go.
    horizon: Horizon,
    /// Targets whose waiting deliveries have to be ended without being sent.
    sweeps: HashSet<TargetId>,
    /// The task that is under way, and whether the one before was a claim.
    task: Option<JoinHandle<Done>>,
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
    pub(super) fn new(
        app: App,
        tasks: TaskTracker,
        stopping: Stopping,
        buffer: Buffer,
        reports: Reports,
    ) -> Self {
        Self {
            app,
            tasks,
            stopping,
            reports,
            buffer,
            is_look_due: false,
            horizon: Horizon::default(),
            sweeps: HashSet::new(),
            task: None,
            has_just_claimed: false,
            few_at: Instant::now(),
            is_put_off: false,
            idlers: Vec::new(),
            newcomers: Vec::new(),
        }
    }

    /// Works until the engine stops, and gives back what it holds then.
    pub(super) async fn run(
        mut self,
        mut signals: mpsc::UnboundedReceiver<Signal>,
        mut idlers: mpsc::Receiver<oneshot::Sender<()>>,
    ) {
        let wakeup = self.app.wakeup.clone();
        let stop = self.stopping.claims.clone();
        let mut look = interval(self.app.settings.look_interval);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.start_attempts();
            self.start_database_task();
            tokio::select! {
                () = stop.cancelled() => break,
                due = wakeup.woken() => self.answer_wakeup(due),
                Some(signal) = signals.recv() => self.hear(signal, &mut signals),
                _ = look.tick() => self.is_look_due = true,
                () = sleep_until(self.few_at), if self.is_put_off => {}
                Some(idler) = idlers.recv() => self.newcomers.push(idler),
                done = ended(&mut self.task) => self.take_in(done),
            }
        }
        self.give_back(signals).await;
    }

    fn answer_wakeup(&mut self, due: Due) {
        let mut lanes = self.buffer.lanes();
        for target in due.targets {
            self.horizon.note(&target);
            lanes.feed(target);
        }
        drop(lanes);
        if due.everywhere {
            self.look_fully();
        }
        self.call_others();
    }

    /// Takes in what has been said meanwhile too, so that one claim serves many ends.
    fn hear(&mut self, first: Signal, more: &mut mpsc::UnboundedReceiver<Signal>) {
        let mut lanes = self.buffer.lanes();
        let mut next = Some(first);
        while let Some(signal) = next {
            match signal {
                Signal::Freed { target, weight, feedback } => {
                    if feedback != Feedback::Well {
                        self.horizon.note(&target);
                    }
                    lanes.freed(&target, weight, feedback);
                }
                Signal::Stocked | Signal::Settled => {}
            }
            next = more.try_recv().ok();
        }
    }

    fn start_attempts(&self) {
        let now = Instant::now();
        let mut lanes = self.buffer.lanes();
        while let Some((job, weight, wait)) = lanes.next(now) {
            let slot = Slot::new(&job, weight, &self.buffer, &self.reports);
            self.tasks.spawn(deliver(self.app.clone(), job, wait, self.stopping.clone(), slot));
        }
    }

    /// Looks come first, because what is overdue depends on them; claims and sweeps take turns.
    fn start_database_task(&mut self) {
        self.is_put_off = false;
        if self.task.is_some() {
            return;
        }
        let task = if self.is_look_due || self.has_to_look_for_idlers() {
            self.is_look_due = false;
            self.idlers.append(&mut self.newcomers);
            if !self.idlers.is_empty() {
                self.horizon.forget();
            }
            let reach = self.horizon.reach(self.app.now());
            DatabaseTask::Look { reach, held: self.buffer.lanes().unsent() }
        } else if let Some(task) = self.claim_or_sweep() {
            task
        } else {
            return;
        };
        self.has_just_claimed = matches!(task, DatabaseTask::Claim(_));
        if self.has_just_claimed {
            self.few_at = Instant::now() + PAUSE;
        }
        self.task = Some(self.tasks.spawn(database_tasks::run(
            self.app.clone(),
            self.buffer.recipients().clone(),
            task,
        )));
    }

    fn claim_or_sweep(&mut self) -> Option<DatabaseTask> {
        let claim = self.claim();
        let sweep = self.sweeps.iter().next().cloned().map(DatabaseTask::Sweep);
        if self.has_just_claimed { sweep.or(claim) } else { claim.or(sweep) }
    }

    fn claim(&mut self) -> Option<DatabaseTask> {
        let (mut demands, hungry) = {
            let lanes = self.buffer.lanes();
            (lanes.demands(), lanes.hungry())
        };
        let size: u64 = demands.iter().map(|demand| demand.size).sum();
        let are_few = (1..FEW).contains(&size) && demands.len() * FEW_LANES < hungry;
        self.is_put_off = are_few && Instant::now() < self.few_at;
        let now = self.app.now();
        for demand in &mut demands {
            demand.since = self.horizon.since(&demand.target, now);
        }
        (size > 0 && !self.is_put_off).then_some(DatabaseTask::Claim(demands))
    }

    fn take_in(&mut self, done: Done) {
        match done {
            Done::Looked { backlogs, recipients, full_at } => {
                if let Some(full_at) = full_at {
                    self.horizon.looked(&backlogs, full_at);
                }
                self.take_in_look(backlogs, &recipients);
            }
            Done::Claimed { demands, jobs } => {
                self.buffer.claimed(&demands, jobs);
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
        let lanes = self.buffer.lanes();
        if lanes.are_overfed() {
            self.app.notifier.call(|| lanes.overfed());
        }
    }

    /// What nobody was woken for: retries that have become due, leases that ran out, and deliveries
    /// whose target was deactivated or removed.
    fn take_in_look(&mut self, found: Vec<Backlog>, recipients: &KnownRecipients) {
        let now = self.app.now();
        self.app.heartbeat.beat(found.iter().map(|backlog| backlog.due_at).min());
        self.buffer.update_recipients(recipients);
        for backlog in found {
            if backlog.status.is_none_or(target_status::ends_what_waits) {
                self.sweeps.insert(backlog.target_id);
            } else if backlog.due_at <= now {
                self.buffer.lanes().feed(backlog.target_id);
            }
        }
        if self.is_idle() {
            for idler in self.idlers.drain(..) {
                idler.send(()).ok();
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.task.is_none() && !self.is_look_due && self.sweeps.is_empty() && self.buffer.is_empty()
    }

    /// They believe only a look that was begun when there seemed to be nothing to do any more.
    fn has_to_look_for_idlers(&self) -> bool {
        !(self.idlers.is_empty() && self.newcomers.is_empty()) && self.is_idle()
    }

    /// Waits for what is still to come, and makes all that was not begun due again at once.
    async fn give_back(mut self, mut signals: mpsc::UnboundedReceiver<Signal>) {
        let mut rest = self.buffer.lanes().close();
        if let Done::Claimed { demands, jobs } = ended_if_any(&mut self.task).await {
            self.buffer.claimed(&demands, jobs);
        }
        while self.buffer.lanes().are_expecting() && signals.recv().await.is_some() {}
        rest.extend(self.buffer.lanes().close());
        for Job { delivery, .. } in rest {
            self.reports.outcomes.send(Ended::GivenBack(delivery)).await.ok();
        }
    }
}

/// The end of the task; if there is none, it never comes.
async fn ended(task: &mut Option<JoinHandle<Done>>) -> Done {
    match task {
        Some(_) => ended_if_any(task).await,
        None => std::future::pending().await,
    }
}

async fn ended_if_any(task: &mut Option<JoinHandle<Done>>) -> Done {
    let Some(running) = task else { return Done::Failed };
    let ended = running.await;
    *task = None;
    // What panicked once would again, at once: the engine ends with it.
    ended.unwrap_or_else(|error| error.try_into_panic().map_or(Done::Failed, |panic| resume_unwind(panic)))
}
