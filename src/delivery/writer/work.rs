//! What is written in one transaction: calls, what is to be recorded of them, and outcomes.

use entity::{Timestamp, event};
use sea_orm::ConnectionTrait;

use crate::app::publisher::{Answer, Call};
use crate::delivery::writer::ingest::{Draft, Ingest, Recorded};
use crate::delivery::writer::settle::Batch;
use crate::error::{Error, Result};
use crate::store::events::Publication;

/// What is written in one transaction, as often as it has to be tried.
#[derive(Debug, Default)]
pub(crate) struct Work {
    publications: Vec<Publication>,
    /// Where each of them is answered.
    answers: Vec<Answer>,
    /// What is to be recorded of the publications, once it is known.
    draft: Option<Box<Draft>>,
    /// How attempts ended.
    pub outcomes: Batch,
}

impl Work {
    /// Outcomes and nothing else.
    pub(crate) fn settling(outcomes: Batch) -> Self {
        Self { outcomes, ..Self::default() }
    }

    /// Takes a call in. One that its caller has given up meanwhile is left out.
    pub(crate) fn add(&mut self, call: Call) {
        debug_assert!(self.draft.is_none(), "a draft is of all publications");
        let Some((publication, answer)) = call.take() else { return };
        self.publications.push(publication);
        self.answers.push(answer);
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.publications.is_empty() && self.outcomes.is_empty()
    }

    /// How many events are published.
    pub(crate) fn events(&self) -> usize {
        self.publications.iter().map(|publication| publication.events.len()).sum()
    }

    /// Whether it is known what is to be recorded, so that nothing can be added.
    pub(crate) fn is_drafted(&self) -> bool {
        self.draft.is_some()
    }

    /// Drafts what is to be recorded of the publications, unless that is known.
    pub(crate) async fn draft(
        &mut self,
        ingest: &Ingest,
        db: &impl ConnectionTrait,
        now: Timestamp,
    ) -> Result<()> {
        if self.draft.is_none() && !self.publications.is_empty() {
            self.draft = Some(Box::new(ingest.draft(db, &self.publications, now).await?));
        }
        Ok(())
    }

    /// The draft does not hold any more: a target that it goes to has been deactivated.
    pub(crate) fn invalidate(&mut self) {
        self.draft = None;
    }

    /// Records the publications, in a transaction that is still to be committed. What is drafted in vain is
    /// drafted once more by the next try.
    pub(crate) async fn record(
        &mut self,
        ingest: &Ingest,
        tx: &impl ConnectionTrait,
        now: Timestamp,
    ) -> Result<Recorded> {
        self.draft(ingest, tx, now).await?;
        match self.draft.take() {
            Some(draft) => ingest.record(tx, *draft, now).await,
            None => Ok(Recorded::default()),
        }
    }

    /// Answers the callers: for each publication its events, which are on disk.
    pub(crate) fn answer(&mut self, events: Vec<Vec<event::Model>>) {
        for (answer, events) in self.answers.drain(..).zip(events) {
            answer.send(Ok(events)).ok();
        }
    }

    /// Tells the callers that their events were not recorded, or that this is not known.
    pub(crate) fn refuse(&mut self, error: &Error) {
        let kind = if matches!(error, Error::Unknown(_)) { Error::Unknown } else { Error::Internal };
        for answer in self.answers.drain(..) {
            answer.send(Err(kind(anyhow::anyhow!("events could not be recorded: {error}")))).ok();
        }
    }
}
