//! Where events are handed in to be recorded: callers wait here for the scribe of
//! the delivery engine, which records many calls in one transaction.

use std::sync::{Arc, Mutex, PoisonError};

use entity::event;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};
use crate::store::events::Publication;

/// How many calls may wait.
const CALLS: usize = 256;

/// Where events are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher {
    calls: mpsc::Sender<Call>,
    waiting: Arc<Mutex<Option<Calls>>>,
}

/// The calls that wait, in the order in which they came.
pub type Calls = mpsc::Receiver<Call>;

/// A call that waits.
#[derive(Debug)]
pub struct Call {
    /// What is to be recorded.
    pub publication: Publication,
    /// Who waits for it.
    pub answer: oneshot::Sender<Result<Vec<event::Model>>>,
}

impl Default for Publisher {
    fn default() -> Self {
        let (calls, waiting) = mpsc::channel(CALLS);
        Self { calls, waiting: Arc::new(Mutex::new(Some(waiting))) }
    }
}

impl Publisher {
    /// Records the events and their deliveries: all or none, and on disk when it answers (D1, D7).
    pub async fn publish(&self, publication: Publication) -> Result<Vec<event::Model>> {
        let (answer, answered) = oneshot::channel();
        self.calls.send(Call { publication, answer }).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// The calls, for the one who answers them; none, if somebody does already.
    pub fn calls(&self) -> Option<Calls> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn stopped() -> Error {
    Error::Internal(anyhow::anyhow!("nobody records events any more"))
}
