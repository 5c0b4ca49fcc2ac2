//! Looks API keys up, as many by one query as are asked for at the same time.
//!
//! Each query begins after the requests that it answers have come, so a key ends
//! everywhere the moment it is revoked (G13), and a crowd of callers costs little
//! more than one.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::anyhow;
use entity::api_key;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::yield_now;

use crate::db::Db;
use crate::error::{Error, Result};
use crate::store::api_keys;

/// How many callers share a query.
const TOGETHER: usize = 256;
/// How many queries may be under way: one that is stuck must not hold up all others.
const AT_ONCE: usize = 2;

/// Where keys are asked for. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct KeyLookup(mpsc::Sender<Question>);

#[derive(Debug)]
struct Question {
    hash: String,
    answer: oneshot::Sender<Result<Option<api_key::Model>>>,
}

impl KeyLookup {
    /// Starts the task that asks the database. It ends with the last of these.
    pub(super) fn start(db: Db) -> Self {
        let (questions, waiting) = mpsc::channel(TOGETHER);
        tokio::spawn(ask(db, waiting));
        Self(questions)
    }

    /// The valid key of this hash.
    pub(super) async fn find(&self, hash: String) -> Result<Option<api_key::Model>> {
        let ended = || Error::Internal(anyhow!("nobody looks keys up any more"));
        let (answer, answered) = oneshot::channel();
        self.0.send(Question { hash, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

async fn ask(db: Db, mut waiting: mpsc::Receiver<Question>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(turn) = turns.clone().acquire_owned().await {
        let Some(first) = waiting.recv().await else { return };
        // Others that are about to ask are let go first: a query costs the same for all of them.
        yield_now().await;
        let mut questions = vec![first];
        while questions.len() < TOGETHER
            && let Ok(question) = waiting.try_recv()
        {
            questions.push(question);
        }
        let db = db.clone();
        tokio::spawn(async move {
            answer(&db, questions).await;
            drop(turn);
        });
    }
}

async fn answer(db: &Db, questions: Vec<Question>) {
    let mut hashes: Vec<&str> = questions.iter().map(|question| question.hash.as_str()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let found = api_keys::find_valid(db.reader(), &hashes).await;
    let found =
        found.map(|keys| keys.into_iter().map(|key| (key.hash.clone(), key)).collect::<HashMap<_, _>>());
    for Question { hash, answer } in questions {
        let one = match &found {
            Ok(keys) => Ok(keys.get(&hash).cloned()),
            Err(error) => Err(Error::Internal(anyhow!("{error}"))),
        };
        answer.send(one).ok();
    }
}
