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
use crate::delivery::watch::Watch;
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
    watch: Watch,
    idle: mpsc::Sender<oneshot::Sender<()>>,
}

impl Engine {
    /// Starts the engine's tasks.
    pub fn start(app: App) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), Stopping::default());
        let watch = Watch::until(stopping.claims.clone());
        let (idle, idlers) = mpsc::channel(1);
        let engine = Self { app, tasks, stopping, watch, idle };
        let (buffer, ended) = (!engine.app.settings.paused).then(|| engine.deliver(idlers)).unzip();
        engine.write_down(buffer.as_ref(), ended);
        engine.tasks.close();
        engine
    }

    /// Sets to work what delivers, and what sees to leases, mails and expired rows beside it. Answers what is
    /// held in memory, and how attempts end.
    fn deliver(&self, idlers: mpsc::Receiver<oneshot::Sender<()>>) -> (Buffer, mpsc::Receiver<Ended>) {
        let Self { app, tasks, stopping, watch, .. } = self;
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
        let reports = Reports { outcomes, signals };
        let dispatcher =
            Dispatcher::new(app.clone(), tasks.clone(), stopping.clone(), buffer.clone(), reports);
        let claims = || stopping.claims.clone();
        tasks.spawn(watch.over("dispatcher", dispatcher.run(heard, idlers)));
        tasks.spawn(watch.over("renewal", renewal::run(app.clone(), buffer.clone(), claims())));
        tasks.spawn(watch.over("mailer", mailer::run(app.clone(), claims())));
        tasks.spawn(watch.over("maintenance", maintenance::run(app.clone(), claims())));
        (buffer, ended)
    }

    /// Sets to work what writes, where there is something to write.
    fn write_down(&self, buffer: Option<&Buffer>, ended: Option<mpsc::Receiver<Ended>>) {
        let engine = ended.is_some().then(|| self.tasks.token());
        let calls = self.app.publisher.calls();
        let write = |name, calls: Option<_>, ended: Option<_>, engine| {
            if calls.is_some() || ended.is_some() {
                let inbox = Inbox::new(calls.unwrap_or_else(closed), ended.unwrap_or_else(closed), engine);
                let writer = Writer::new(&self.app, buffer.cloned(), inbox);
                // Not one of the tasks that end with the engine: what is published then waits for the next.
                tokio::spawn(self.watch.over(name, writer.run()));
            }
        };
        if self.app.db.is_shared() {
            write("writer of events", calls, None, None);
            write("writer of outcomes", None, ended, engine);
        } else {
            write("writer", calls, ended, engine);
        }
    }

    /// Waits for a task to end that the engine cannot do without, and tells its name. A panic is in the log.
    /// Then the engine is good for nothing more, and a new process is to take its place.
    pub async fn failed(&self) -> &'static str {
        self.watch.ended().await
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
