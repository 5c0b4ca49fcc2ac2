//! Records published events, as many calls in one transaction as are waiting.
//!
//! A commit costs the same for one event as for a thousand, so callers that come
//! while one is under way share the next. Nobody is answered before his events
//! are on disk, and the bell is rung only then.

use entity::event;
use fail::fail_point;
use tokio::sync::{mpsc, oneshot};

use crate::app::Bell;
use crate::clock::Clock;
use crate::db::{Db, is_conflict};
use crate::error::{Error, Result};
use crate::store::events::{self, Publication, Published};

/// How many calls may share a transaction, and how many may wait for the next.
const CALLS: usize = 256;
/// How often a transaction is tried that others get in the way of.
const TRIES: usize = 5;

/// Where events are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher(mpsc::Sender<Call>);

#[derive(Debug)]
struct Call {
    publication: Publication,
    answer: oneshot::Sender<Result<Vec<event::Model>>>,
}

impl Publisher {
    /// Starts the task that writes. It ends when the last publisher is dropped.
    pub fn start(db: Db, clock: Clock, bell: Bell) -> Self {
        let (calls, waiting) = mpsc::channel(CALLS);
        tokio::spawn(write(db, clock, bell, waiting));
        Self(calls)
    }

    /// Records the events and their deliveries: all or none, and on disk when it answers (D1, D7).
    pub async fn publish(&self, publication: Publication) -> Result<Vec<event::Model>> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Call { publication, answer }).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

fn stopped() -> Error {
    Error::Internal(anyhow::anyhow!("the publisher has stopped"))
}

async fn write(db: Db, clock: Clock, bell: Bell, mut waiting: mpsc::Receiver<Call>) {
    let mut calls = Vec::with_capacity(CALLS);
    while waiting.recv_many(&mut calls, CALLS).await > 0 {
        let (publications, answers): (Vec<_>, Vec<_>) =
            calls.drain(..).map(|call| (call.publication, call.answer)).unzip();
        match record(&db, &publications, &clock).await {
            Ok(published) => {
                bell.ring(published.due);
                for (answer, events) in answers.into_iter().zip(published.events) {
                    answer.send(Ok(events)).ok();
                }
            }
            Err(error) => {
                let shared = std::sync::Arc::new(error);
                for answer in answers {
                    let error = anyhow::anyhow!("events could not be recorded: {shared}");
                    answer.send(Err(Error::Internal(error))).ok();
                }
            }
        }
    }
}

/// Distributed databases end transactions that get into each other's way: nobody has to hear of that.
async fn record(db: &Db, publications: &[Publication], clock: &Clock) -> Result<Published> {
    let mut tries = 1;
    loop {
        match record_once(db, publications, clock).await {
            Err(error) if tries < TRIES && is_conflict(&error) => tries += 1,
            recorded => return recorded,
        }
    }
}

async fn record_once(db: &Db, publications: &[Publication], clock: &Clock) -> Result<Published> {
    let tx = db.begin().await?;
    let published = events::publish(&tx, publications, clock.now()).await?;
    fail_point!("before-commit", |_| Err(anyhow::anyhow!("a fault was injected").into()));
    tx.commit().await?;
    fail_point!("before-answer", |_| Err(anyhow::anyhow!("a fault was injected").into()));
    Ok(published)
}
