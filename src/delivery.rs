//! The delivery engine: brings due notifications to their targets.
//!
//! A delivery stays in the database until it is settled, so a crash loses
//! nothing: the lease runs out and another worker takes it. A receiver may see
//! a notification twice (D7).
//!
//! One task, the `scribe`, records what is published (`intake`) and settles what has
//! been attempted (`settle`). What can be sent at once it puts on the `shelf`, from which
//! another (`dispatch`) starts one task per attempt (`deliver`, `send`); what the shelf had
//! no place for, that one claims from the database (`errands`). Mails and the removal of
//! what has expired run beside them.

mod attempt;
mod buffer;
mod dispatcher;
mod mailer;
mod maintenance;
mod writer;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::error::Result;
use attempt::recipients::AddressBook;
use buffer::Shelf;
use buffer::lanes::Limits;
use buffer::leases::{self, Leases};
use dispatcher::Dispatcher;
use writer::settle::Ended;
use writer::{Desk, Scribe};

/// How long before the end of its grace a stopping engine gives back what is still in flight.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// How many outcomes may wait to be settled; senders beyond that wait with their result.
const UNSETTLED: usize = 4_096;

/// How much may be held in memory to be sent next, in units of weight: 2 KiB of payload, or less.
const HELD: usize = 32_768;

/// The running engine.
#[derive(Debug)]
pub struct Engine {
    app: App,
    tasks: TaskTracker,
    stopping: Stopping,
    idle: mpsc::Sender<oneshot::Sender<()>>,
}

/// The two steps of stopping.
#[derive(Debug, Clone, Default)]
struct Stopping {
    /// Nothing more is claimed.
    claims: CancellationToken,
    /// What is in flight is given back.
    attempts: CancellationToken,
}

impl Engine {
    /// Starts the engine's tasks.
    pub fn start(app: App) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), Stopping::default());
        let (idle, idlers) = mpsc::channel(1);
        let work = (!app.settings.paused).then(|| Self::work(&app, &tasks, &stopping, idlers));
        let (shelf, ended) = work.unzip();
        Self::write_down(&app, shelf.as_ref(), ended, &tasks);
        tasks.close();
        Self { app, tasks, stopping, idle }
    }

    fn work(
        app: &App,
        tasks: &TaskTracker,
        stopping: &Stopping,
        idlers: mpsc::Receiver<oneshot::Sender<()>>,
    ) -> (Shelf, mpsc::Receiver<Ended>) {
        let (outcomes, ended) = mpsc::channel(UNSETTLED);
        let (signals, heard) = mpsc::unbounded_channel();
        let limits = Limits {
            per_lane: app.settings.target_concurrency,
            in_flight: app.files.in_flight,
            held: HELD,
            pace: app.settings.target_rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get()),
        };
        let addresses = AddressBook::new(app.vault.clone());
        let shelf = Shelf::new(limits, Leases::default(), addresses, signals.clone());
        tasks.spawn(leases::run(app.clone(), shelf.clone(), stopping.claims.clone()));
        let reports = (outcomes, signals);
        let dispatcher =
            Dispatcher::new(app.clone(), tasks.clone(), stopping.clone(), shelf.clone(), reports);
        tasks.spawn(dispatcher.run(heard, idlers));
        tasks.spawn(mailer::run(app.clone(), stopping.claims.clone()));
        tasks.spawn(maintenance::run(app.clone(), stopping.claims.clone()));
        (shelf, ended)
    }

    /// Sets the scribes to work.
    fn write_down(
        app: &App,
        shelf: Option<&Shelf>,
        ended: Option<mpsc::Receiver<Ended>>,
        tasks: &TaskTracker,
    ) {
        let engine = ended.is_some().then(|| tasks.token());
        let calls = app.publisher.calls().unwrap_or_else(closed);
        let ended = ended.unwrap_or_else(closed);
        let desks = if app.db.is_shared() {
            let recording = Desk { calls, ended: closed(), engine: None };
            vec![recording, Desk { calls: closed(), ended, engine }]
        } else {
            vec![Desk { calls, ended, engine }]
        };
        for desk in desks {
            // Not one of the tasks that end with the engine: what is published then waits for the next.
            tokio::spawn(Scribe::new(app, shelf.cloned(), desk).run());
        }
    }

    /// Claims nothing more, and waits for what is in flight. What is not finished in time is
    /// given back, to be sent by whoever comes next.
    pub async fn stop(self, within: Duration) {
        self.stopping.claims.cancel();
        if tokio::time::timeout(within.saturating_sub(GIVING_BACK), self.tasks.wait()).await.is_err() {
            self.stopping.attempts.cancel();
            tokio::time::timeout(GIVING_BACK, self.tasks.wait()).await.ok();
        }
    }

    /// Waits until nothing is due and nothing in flight, mails are sent and expired rows removed:
    /// for those who move the clock by hand.
    pub async fn run_until_idle(&self) -> Result<()> {
        if self.app.settings.paused {
            return Ok(());
        }
        self.wait_until_settled().await;
        mailer::send_due(&self.app).await?;
        maintenance::remove_expired(&self.app).await
    }

    async fn wait_until_settled(&self) {
        let (settled, wait) = oneshot::channel();
        self.idle.send(settled).await.ok();
        wait.await.ok();
    }
}

/// A channel that brings nothing.
fn closed<T>() -> mpsc::Receiver<T> {
    mpsc::channel(1).1
}
