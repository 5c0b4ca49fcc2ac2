//! Where events are handed in to be recorded: callers wait here for the writer of
//! the delivery engine, which records many calls in one transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use entity::event;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::error::{Error, Result};
use crate::quota::limits::Waits;
use crate::store::events::Publication;

/// How many calls may wait.
const CALLS: usize = 256;

/// Where events are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher {
    calls: mpsc::Sender<Call>,
    waiting: Arc<Mutex<Option<Calls>>>,
    waits: Waits,
}

/// The calls that wait, in the order in which they came.
pub(crate) type Calls = mpsc::Receiver<Call>;

/// A call that waits.
#[derive(Debug)]
pub struct Call {
    publication: Publication,
    answer: Answer,
    is_settled: Settled,
}

/// Where the events of a call are answered.
pub(crate) type Answer = oneshot::Sender<Result<Vec<event::Model>>>;

/// Whether a call was taken or withdrawn: whichever comes first, so that what was refused is never recorded.
#[derive(Debug, Clone, Default)]
struct Settled(Arc<AtomicBool>);

impl Settled {
    /// Whether this was the first to settle it.
    fn settle(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

impl Call {
    /// How many events it publishes.
    pub fn events(&self) -> usize {
        self.publication.events.len()
    }

    /// Takes what is to be recorded, and who waits for it; none if its caller has given it up.
    pub fn take(self) -> Option<(Publication, Answer)> {
        self.is_settled.settle().then_some((self.publication, self.answer))
    }
}

impl Publisher {
    /// One whose callers wait for so long.
    pub fn new(waits: Waits) -> Self {
        let (calls, waiting) = mpsc::channel(CALLS);
        Self { calls, waiting: Arc::new(Mutex::new(Some(waiting))), waits }
    }

    /// Records the events and their deliveries: all or none, and on disk when it answers (D1, D7).
    ///
    /// # Errors
    /// `Error::Unavailable` if nobody took them in time: then they are not recorded. Once they are taken
    /// the outcome is waited for, and if it does not come in time either, that is said.
    pub async fn publish(&self, publication: Publication) -> Result<Vec<event::Model>> {
        self.publish_until(publication, sleep(self.waits.taking), sleep(self.waits.recording)).await
    }

    /// The same, with two ends of patience: before it was taken, and after.
    async fn publish_until(
        &self,
        publication: Publication,
        not_taken: impl Future<Output = ()>,
        not_recorded: impl Future<Output = ()>,
    ) -> Result<Vec<event::Model>> {
        let ((answer, mut answered), is_settled) = (oneshot::channel(), Settled::default());
        let call = Call { publication, answer, is_settled: is_settled.clone() };
        let handing_in = async {
            self.calls.send(call).await.map_err(|_| stopped())?;
            (&mut answered).await.unwrap_or_else(|_| Err(forgotten(&is_settled)))
        };
        tokio::select! {
            biased;
            recorded = handing_in => return recorded,
            () = not_taken => {}
        }
        if is_settled.settle() {
            return Err(Error::Unavailable(NOT_TAKEN.to_owned()));
        }
        tokio::select! {
            biased;
            recorded = answered => recorded.unwrap_or_else(|_| Err(forgotten(&is_settled))),
            () = not_recorded => Err(Error::Unknown(anyhow::anyhow!("events were not recorded in time"))),
        }
    }

    /// The calls, for the one who answers them; none, if somebody does already.
    pub fn calls(&self) -> Option<Calls> {
        self.waiting.lock().take()
    }
}

const NOT_TAKEN: &str = "There is too much to do here at the moment. Nothing was published. Try again later.";

fn stopped() -> Error {
    Error::Internal(anyhow::anyhow!("nobody records events any more"))
}

/// What becomes of a call that nobody will answer: if it was taken, it may have been recorded.
fn forgotten(is_settled: &Settled) -> Error {
    if is_settled.settle() { stopped() } else { stopped().in_doubt() }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use entity::{Environment, OrganizationId, Timestamp};

    use super::*;
    use crate::store::Scope;

    fn publication() -> Publication {
        let organization = OrganizationId::new(Timestamp::from_millis(1_700_000_000_000));
        Publication { scope: Scope { organization, environment: Environment::Test }, events: Vec::new() }
    }

    #[tokio::test]
    async fn a_publication_that_is_not_taken_in_time_is_withdrawn() {
        let publisher = Publisher::new(Waits::default());
        let mut calls = publisher.calls().unwrap();
        let refused = publisher.publish_until(publication(), ready(()), pending()).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))));
        assert!(calls.recv().await.unwrap().take().is_none());
    }

    #[tokio::test]
    async fn a_publication_that_was_taken_is_waited_for() {
        let publisher = Publisher::new(Waits::default());
        let mut calls = publisher.calls().unwrap();
        let ((taken, is_taken), (late, is_late)) = (oneshot::channel(), oneshot::channel());
        let recording = async {
            let (_, answer) = calls.recv().await.unwrap().take().unwrap();
            taken.send(()).unwrap();
            is_late.await.unwrap();
            answer.send(Ok(Vec::new())).unwrap();
        };
        let patience = async {
            is_taken.await.unwrap();
            late.send(()).unwrap();
        };
        let publishing = publisher.publish_until(publication(), patience, pending());
        let (answer, ()) = tokio::join!(publishing, recording);
        assert!(answer.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_publication_without_an_outcome_is_not_refused() {
        let publisher = Publisher::new(Waits::default());
        let mut calls = publisher.calls().unwrap();
        let (taken, is_taken) = oneshot::channel();
        let recording = async {
            let call = calls.recv().await.unwrap().take();
            taken.send(()).unwrap();
            call
        };
        let patience = async { is_taken.await.unwrap() };
        let publishing = publisher.publish_until(publication(), patience, ready(()));
        let (answer, _taken) = tokio::join!(publishing, recording);
        assert!(matches!(answer, Err(Error::Unknown(_))));
    }

    #[tokio::test]
    async fn a_publication_that_was_taken_and_forgotten_may_have_been_recorded() {
        let publisher = Publisher::new(Waits::default());
        let mut calls = publisher.calls().unwrap();
        let publishing = publisher.publish_until(publication(), pending(), pending());
        let (answer, ()) = tokio::join!(publishing, async {
            drop(calls.recv().await.unwrap().take().unwrap());
        });
        assert!(matches!(answer, Err(Error::Unknown(_))));

        let publishing = publisher.publish_until(publication(), pending(), pending());
        let (answer, ()) = tokio::join!(publishing, async {
            drop(calls.recv().await.unwrap());
        });
        assert!(matches!(answer, Err(Error::Internal(_))), "what nobody took was not recorded");
    }

    #[tokio::test]
    async fn when_too_many_calls_wait_the_next_is_refused_at_once() {
        let publisher = Publisher::new(Waits::default());
        let mut calls = publisher.calls().unwrap();
        for _ in 0..=CALLS {
            let refused = publisher.publish_until(publication(), ready(()), pending()).await;
            assert!(matches!(refused, Err(Error::Unavailable(_))));
        }
        let mut handed_in = 0;
        while let Ok(call) = calls.try_recv() {
            assert!(call.take().is_none());
            handed_in += 1;
        }
        assert_eq!(handed_in, CALLS);
    }
}
