//! The delivery engine: brings due notifications to their targets.
//!
//! A delivery stays in the database until it is settled, so a crash loses
//! nothing: the lease runs out and another worker takes it. A receiver may see
//! a notification twice (D7).
//!
//! One task claims (`dispatch`), one task per attempt sends (`send`), one
//! settles (`settle`). Mails and the removal of what has expired run beside them.

mod dispatch;
mod lanes;
mod leases;
mod mail;
mod parcel;
mod send;
mod settle;
mod upkeep;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::error::Result;
use dispatch::Dispatcher;
use leases::Leases;

/// How long before the end of its grace a stopping engine gives back what is still in flight.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// How many outcomes may wait to be settled; senders beyond that wait with their result.
const UNSETTLED: usize = 4_096;

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
        if !app.settings.paused {
            Self::work(&app, &tasks, &stopping, idlers);
        }
        tasks.close();
        Self { app, tasks, stopping, idle }
    }

    fn work(
        app: &App,
        tasks: &TaskTracker,
        stopping: &Stopping,
        idlers: mpsc::Receiver<oneshot::Sender<()>>,
    ) {
        let (outcomes, ended) = mpsc::channel(UNSETTLED);
        let (signals, heard) = mpsc::unbounded_channel();
        let leases = Leases::default();
        tasks.spawn(settle::run(app.clone(), leases.clone(), ended, signals.clone()));
        tasks.spawn(leases::run(app.clone(), leases.clone(), stopping.claims.clone()));
        let reports = (outcomes, signals);
        let dispatcher = Dispatcher::new(app.clone(), tasks.clone(), stopping.clone(), leases, reports);
        tasks.spawn(dispatcher.run(heard, idlers));
        tasks.spawn(mail::run(app.clone(), stopping.claims.clone()));
        tasks.spawn(upkeep::run(app.clone(), stopping.claims.clone()));
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
        mail::send_due(&self.app).await?;
        upkeep::remove_expired(&self.app).await
    }

    async fn wait_until_settled(&self) {
        let (settled, wait) = oneshot::channel();
        self.idle.send(settled).await.ok();
        wait.await.ok();
    }
}
