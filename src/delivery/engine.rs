//! Starts the tasks of the engine, and ends them.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::delivery::attempt::log;
use crate::delivery::attempt::recipients::Recipients;
use crate::delivery::buffer::Buffer;
use crate::delivery::buffer::lanes::Limits;
use crate::delivery::buffer::leases::Leases;
use crate::delivery::buffer::renewal;
use crate::delivery::dispatcher::Dispatcher;
use crate::delivery::signal::{Reports, Stopping};
use crate::delivery::writer::Writer;
use crate::delivery::writer::inbox::Inbox;
use crate::delivery::writer::settle::Ended;
use crate::delivery::{mailer, maintenance};
use crate::error::Result;

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

impl Engine {
    /// Starts the engine's tasks.
    pub fn start(app: App) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), Stopping::default());
        let (idle, idlers) = mpsc::channel(1);
        let work = (!app.settings.paused).then(|| Self::work(&app, &tasks, &stopping, idlers));
        let (buffer, ended) = work.unzip();
        Self::write_down(&app, buffer.as_ref(), ended, &tasks);
        tasks.close();
        Self { app, tasks, stopping, idle }
    }

    fn work(
        app: &App,
        tasks: &TaskTracker,
        stopping: &Stopping,
        idlers: mpsc::Receiver<oneshot::Sender<()>>,
    ) -> (Buffer, mpsc::Receiver<Ended>) {
        let (outcomes, ended) = mpsc::channel(UNSETTLED);
        let (signals, heard) = mpsc::unbounded_channel();
        let limits = Limits {
            per_lane: app.settings.target_concurrency,
            in_flight: app.files.in_flight,
            held: HELD,
            pace: app.settings.target_rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get()),
        };
        let recipients = Recipients::new(app.vault.clone());
        let buffer = Buffer::new(limits, Leases::default(), recipients, signals.clone());
        tasks.spawn(renewal::run(app.clone(), buffer.clone(), stopping.claims.clone()));
        let reports = Reports { outcomes, signals };
        let dispatcher =
            Dispatcher::new(app.clone(), tasks.clone(), stopping.clone(), buffer.clone(), reports);
        tasks.spawn(dispatcher.run(heard, idlers));
        tasks.spawn(mailer::run(app.clone(), stopping.claims.clone()));
        tasks.spawn(maintenance::run(app.clone(), stopping.claims.clone()));
        (buffer, ended)
    }

    /// Sets the writers to work.
    fn write_down(
        app: &App,
        buffer: Option<&Buffer>,
        ended: Option<mpsc::Receiver<Ended>>,
        tasks: &TaskTracker,
    ) {
        let engine = ended.is_some().then(|| tasks.token());
        let calls = app.publisher.calls().unwrap_or_else(closed);
        let ended = ended.unwrap_or_else(closed);
        let inboxes = if app.db.is_shared() {
            vec![Inbox::new(calls, closed(), None), Inbox::new(closed(), ended, engine)]
        } else {
            vec![Inbox::new(calls, ended, engine)]
        };
        for inbox in inboxes {
            // Not one of the tasks that end with the engine: what is published then waits for the next.
            tokio::spawn(Writer::new(app, buffer.cloned(), inbox).run());
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
        log::tell_left_out();
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
