//! Writes down what was published and how attempts ended.
//!
//! A commit costs the same for one row as for a thousand, so all that has come
//! together shares one. SQLite has one writer: there a single scribe does both, in one
//! transaction. PostgreSQL writes side by side: there one scribe records what is
//! published, and another one settles.
//!
//! Nobody is answered before his events are on disk. Outcomes that the database does not
//! take are kept and tried again; senders wait with their results meanwhile, and
//! claiming stops by itself.

use std::sync::Arc;
use std::time::Duration;

use entity::event;
use fail::fail_point;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::app::publisher::{Call, Calls};
use crate::app::{App, Bell};
use crate::clock::Clock;
use crate::db::{Db, despite_conflicts};
use crate::delivery::intake::Intake;
use crate::delivery::settle::{Batch, Ended, Settling};
use crate::delivery::shelf::Shelf;
use crate::error::{Error, Result, report};
use crate::store::events::Publication;

/// How many events, and how many outcomes, may share a transaction: more would keep others from
/// writing for too long.
const EVENTS: usize = 1_000;
const OUTCOMES: usize = 500;

/// What a scribe writes down. A channel that is closed brings nothing.
#[derive(Debug)]
pub struct Desk {
    /// What is published.
    pub calls: Calls,
    /// How attempts ended.
    pub ended: mpsc::Receiver<Ended>,
    /// Keeps the engine from having stopped before all that it did is written down.
    pub engine: Option<TaskTrackerToken>,
}

/// Writes down. It holds no [`App`], which it would keep alive for ever: what is published after the
/// engine has stopped waits for the next.
#[derive(Debug)]
pub struct Scribe {
    desk: Desk,
    db: Db,
    clock: Clock,
    bell: Bell,
    shelf: Option<Shelf>,
    intake: Intake,
    settling: Settling,
    pause: Duration,
    /// What the database did not take, and when to try again.
    owed: Option<(Batch, Instant)>,
}

/// What is written in one transaction.
#[derive(Debug, Default)]
struct Work {
    calls: Vec<Call>,
    batch: Batch,
}

/// Where the events of a call are answered.
type Answer = oneshot::Sender<Result<Vec<event::Model>>>;

impl Scribe {
    /// A scribe that hands over what it can to the shelf. Without one nothing is sent from here.
    pub fn new(app: &App, shelf: Option<Shelf>, desk: Desk) -> Self {
        Self {
            desk,
            db: app.db.clone(),
            clock: app.clock.clone(),
            bell: app.bell.clone(),
            intake: Intake::new(app, shelf.clone()),
            settling: Settling::new(app),
            shelf,
            pause: app.settings.pause,
            owed: None,
        }
    }

    /// Works until nobody can bring anything any more.
    pub async fn run(mut self) {
        while let Some(Work { calls, batch }) = self.next().await {
            let (publications, answers): (Vec<_>, Vec<_>) =
                calls.into_iter().map(|call| (call.publication, call.answer)).unzip();
            match despite_conflicts(|| self.write(&publications, &batch)).await {
                Ok(events) => {
                    self.settled(&batch);
                    answer(answers, events);
                }
                Err(error) => {
                    self.owe(batch, &error);
                    refuse(answers, error);
                }
            }
        }
    }

    /// Waits for something to do, and takes what else is there, as long as it fits. What is owed is
    /// tried alone, and others wait for it: whoever publishes has nothing to do with it.
    async fn next(&mut self) -> Option<Work> {
        let mut work = Work::default();
        loop {
            let (has_engine, due_at) = (self.desk.engine.is_some(), self.owed.as_ref().map(|owed| owed.1));
            tokio::select! {
                Some(call) = self.desk.calls.recv() => work.calls.push(call),
                ended = self.desk.ended.recv(), if has_engine && due_at.is_none() => {
                    let Some(ended) = ended else {
                        self.desk.engine = None;
                        continue;
                    };
                    work.batch.add(ended);
                }
                () = sleep_until(due_at.unwrap_or_else(Instant::now)), if due_at.is_some() => {
                    return self.owed.take().map(|(batch, _)| Work { batch, ..Work::default() });
                }
                else => return None,
            }
            self.take_what_waits(&mut work);
            return Some(work);
        }
    }

    fn take_what_waits(&mut self, work: &mut Work) {
        while work.events() < EVENTS
            && let Ok(call) = self.desk.calls.try_recv()
        {
            work.calls.push(call);
        }
        while self.owed.is_none()
            && work.batch.len() < OUTCOMES
            && let Ok(ended) = self.desk.ended.try_recv()
        {
            work.batch.add(ended);
        }
    }

    /// Settles first: a target that is deactivated by it hears of nothing that is published with it.
    async fn write(&self, publications: &[Publication], batch: &Batch) -> Result<Vec<Vec<event::Model>>> {
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        let deactivated = self.settling.settle(&tx, batch, now).await?;
        let recorded = self.intake.record(&tx, publications, now).await?;
        fail_point!("before-commit", |_| Err(anyhow::anyhow!("a fault was injected").into()));
        tx.commit().await?;
        fail_point!("before-answer", |_| Err(anyhow::anyhow!("a fault was injected").into()));
        if deactivated {
            self.bell.ring_everywhere();
        }
        Ok(recorded.hand_over(&self.bell))
    }

    fn settled(&self, batch: &Batch) {
        if let Some(shelf) = self.shelf.as_ref().filter(|_| !batch.is_empty()) {
            shelf.settled(batch.deliveries());
        }
    }

    fn owe(&mut self, batch: Batch, error: &Error) {
        if !batch.is_empty() {
            report("outcomes could not be written down; trying again", error);
            self.owed = Some((batch, Instant::now() + self.pause));
        }
    }
}

impl Work {
    fn events(&self) -> usize {
        self.calls.iter().map(|call| call.publication.events.len()).sum()
    }
}

fn answer(answers: Vec<Answer>, events: Vec<Vec<event::Model>>) {
    for (answer, events) in answers.into_iter().zip(events) {
        answer.send(Ok(events)).ok();
    }
}

fn refuse(answers: Vec<Answer>, error: Error) {
    let shared = Arc::new(error);
    for answer in answers {
        let error = anyhow::anyhow!("events could not be recorded: {shared}");
        answer.send(Err(Error::Internal(error))).ok();
    }
}
