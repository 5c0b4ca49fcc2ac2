//! Records published events, and claims of their deliveries what can be sent at once.
//!
//! What there is a place for in the buffer is claimed as it is inserted and handed over
//! in memory, once it is on disk; all else waits in the database, for any replica.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use entity::{DeliveryState, EventId, TargetId, Timestamp, delivery, event};
use sea_orm::ConnectionTrait;

use crate::app::{App, Wakeup};
use crate::delivery::attempt::job::{Contents, Job, Message, weight_of};
use crate::delivery::attempt::recipients::KnownRecipients;
use crate::delivery::buffer::{Buffer, Promises};
use crate::error::Result;
use crate::store::bulk::Script;
use crate::store::events::{Publication, Published, Repeated, Sketch};

/// Records what is published.
#[derive(Debug)]
pub(crate) struct Ingest {
    lease: Duration,
    buffer: Option<Buffer>,
}

/// What is about to be recorded. Dropped, its places in the buffer are free again.
#[derive(Debug)]
pub(crate) enum Draft {
    /// It has only to be written.
    Finished(Script, Recorded),
    /// Some of it may have been published before, which only the database can tell.
    Keyed(Sketch, KnownRecipients),
}

/// What was recorded, and what is handed over once it is on disk. Dropped, its places in the buffer are
/// free again.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// For each publication its events.
    events: Vec<Vec<event::Model>>,
    /// The targets of what waits in the database.
    waiting: Vec<TargetId>,
    /// What was claimed for the buffer, if there is one.
    promises: Option<Promises>,
}

impl Recorded {
    /// Puts into the buffer what was claimed, wakes somebody for the rest, and tells for each publication its events.
    pub(crate) fn hand_over(self, wakeup: &Wakeup) -> Vec<Vec<event::Model>> {
        if let Some(promises) = self.promises {
            promises.keep();
        }
        if !self.waiting.is_empty() {
            wakeup.wake(self.waiting);
        }
        self.events
    }
}

impl Ingest {
    /// An ingest that claims what the buffer has a place for; without a buffer, nothing.
    pub(crate) fn new(app: &App, buffer: Option<Buffer>) -> Self {
        Self { lease: app.settings.lease, buffer }
    }

    /// Reads what has to be known of subscribers, and does all that can be done before a transaction.
    pub(crate) async fn draft(
        &self,
        db: &impl ConnectionTrait,
        publications: &[Publication],
        now: Timestamp,
    ) -> Result<Draft> {
        let sketch = Sketch::of(db, publications, now).await?;
        let recipients = match &self.buffer {
            Some(buffer) => buffer.recipients().find(db, sketch.targets(), now).await?,
            None => KnownRecipients::new(),
        };
        Ok(if sketch.has_keys() {
            Draft::Keyed(sketch, recipients)
        } else {
            let (script, recorded) = self.finish(db, sketch, &recipients, &Repeated::new(), now);
            Draft::Finished(script, recorded)
        })
    }

    /// Records events with their deliveries, in a transaction that is still to be committed (D1).
    pub(crate) async fn record(
        &self,
        tx: &impl ConnectionTrait,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Recorded> {
        let (script, recorded) = match draft {
            Draft::Finished(script, recorded) => (script, recorded),
            Draft::Keyed(sketch, recipients) => {
                let repeated = sketch.insert_keyed(tx).await?;
                self.finish(tx, sketch, &recipients, &repeated, now)
            }
        };
        script.run(tx).await?;
        Ok(recorded)
    }

    fn finish(
        &self,
        db: &impl ConnectionTrait,
        sketch: Sketch,
        recipients: &KnownRecipients,
        repeated: &Repeated,
        now: Timestamp,
    ) -> (Script, Recorded) {
        let mut published = sketch.publish(db, repeated, now);
        let promises = self.buffer.as_ref().map(|buffer| self.claim(buffer, &mut published, recipients, now));
        let is_waiting = |row: &&delivery::Model| row.state == DeliveryState::Waiting;
        let waiting = published.due.iter().filter(is_waiting).map(|row| row.target_id.clone()).collect();
        let (script, events) = published.written();
        (script, Recorded { events, waiting, promises })
    }

    /// Claims what there is a place for in the buffer, before it is inserted.
    fn claim(
        &self,
        buffer: &Buffer,
        Published { events, due, .. }: &mut Published,
        recipients: &KnownRecipients,
        now: Timestamp,
    ) -> Promises {
        let recipient_of = |row: &delivery::Model| recipients.get(&row.target_id)?.as_ref().ok();
        let events: HashMap<&EventId, &event::Model> =
            events.iter().flatten().map(|event| (&event.id, event)).collect();
        let weigh = |row: &delivery::Model| {
            recipient_of(row)?;
            events.get(&row.event_id).map(|event| weight_of(event))
        };
        let promises = buffer.promise(due, weigh, now + self.lease);
        let mut messages: HashMap<&EventId, Arc<Message>> = HashMap::new();
        let mut pack = |row: &delivery::Model| {
            let (id, event) = events.get_key_value(&row.event_id)?;
            let message = messages.entry(id).or_insert_with(|| Arc::new(Message::new(event))).clone();
            let recipient = recipient_of(row)?.clone();
            Some(Job { delivery: row.clone(), contents: Some(Contents { message, recipient }) })
        };
        let claimed = due.iter().filter(|row| row.state == DeliveryState::Claimed);
        promises.of(claimed.filter_map(&mut pack).collect())
    }
}
