//! A claimed delivery with all that its attempt needs, so that nothing is read
//! from the database between claiming and settling.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{Environment, EventId, Timestamp, delivery, event};
use sea_orm::ConnectionTrait;

use crate::delivery::attempt::recipients::{NoRecipient, Recipient, Recipients};
use crate::error::Result;
use crate::rules::envelope::Envelope;
use crate::store::claims::{self, Demand};
use crate::store::{events, targets};

/// How many bytes of a payload are one unit of weight.
const UNIT: usize = 2_048;

/// A claimed delivery.
#[derive(Debug)]
pub(crate) struct Job {
    /// The row as it was claimed.
    pub delivery: delivery::Model,
    /// What is sent where; none if the event or the target is gone.
    pub contents: Option<Contents>,
}

/// What is sent, and where.
#[derive(Debug)]
pub(crate) struct Contents {
    /// The event.
    pub message: Arc<Message>,
    /// The target.
    pub recipient: Arc<Recipient>,
}

/// An event, ready to be stamped. Targets share it.
#[derive(Debug)]
pub(crate) struct Message {
    /// Where it happened: it decides the schedule.
    pub environment: Environment,
    /// Its body but for the stamp.
    pub envelope: Envelope,
    /// How much of the room in memory it takes.
    pub weight: usize,
}

impl Message {
    /// Writes the message of an event.
    pub(crate) fn new(event: &event::Model) -> Self {
        let envelope = Envelope::new(&event.id, event.name.as_ref(), &event.node, event.created_at);
        Self { environment: event.environment, envelope, weight: weight_of(event) }
    }
}

/// How much of the room in memory a delivery of the event takes: at least one unit.
pub(crate) fn weight_of(event: &event::Model) -> usize {
    1 + event.node.len() / UNIT
}

impl Job {
    /// Takes in what was read of its target since it was packed.
    pub(crate) fn update_recipients(&mut self, latest: &Result<Arc<Recipient>, NoRecipient>) {
        match (latest, &mut self.contents) {
            (Ok(recipient), Some(contents)) => contents.recipient = recipient.clone(),
            (Err(NoRecipient::Gone), _) => self.contents = None,
            (Ok(_), None) | (Err(NoRecipient::Unreadable), _) => {}
        }
    }

    /// How much of the room in memory it takes.
    pub(crate) fn weight(&self) -> usize {
        self.contents.as_ref().map_or(1, |contents| contents.message.weight)
    }
}

impl Contents {
    /// Whether the target was deactivated after this was queued (D4).
    pub(crate) fn is_missed(&self, delivery: &delivery::Model) -> bool {
        delivery.epoch < self.recipient.target.epoch
    }
}

/// Claims what there is room for, and packs it.
pub(crate) async fn claim(
    tx: &impl ConnectionTrait,
    demands: &[Demand],
    recipients: &Recipients,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<Job>> {
    let claimed = claims::claim(tx, demands, now, lease_until).await?;
    let messages = messages(tx, &claimed).await?;
    let targets = targets::list(tx, distinct(&claimed, |delivery| &delivery.target_id)).await?;
    let recipients = recipients.find(tx, targets, now).await?;
    let pack = |delivery: delivery::Model| {
        let message = messages.get(&delivery.event_id).cloned();
        let recipient = match recipients.get(&delivery.target_id) {
            Some(Ok(recipient)) => Some(recipient.clone()),
            Some(Err(NoRecipient::Unreadable)) => return None,
            Some(Err(NoRecipient::Gone)) | None => None,
        };
        let contents = message.zip(recipient).map(|(message, recipient)| Contents { message, recipient });
        Some(Job { delivery, contents })
    };
    Ok(claimed.into_iter().filter_map(pack).collect())
}

async fn messages(
    tx: &impl ConnectionTrait,
    claimed: &[delivery::Model],
) -> Result<HashMap<EventId, Arc<Message>>> {
    let ids = distinct(claimed, |delivery| &delivery.event_id);
    let events = events::list(tx, ids).await?;
    Ok(events.into_iter().map(|event| (event.id.clone(), Arc::new(Message::new(&event)))).collect())
}

/// The ids of one kind in these deliveries, each once.
pub(crate) fn distinct<Id: Clone + Ord>(
    deliveries: &[delivery::Model],
    id: fn(&delivery::Model) -> &Id,
) -> Vec<Id> {
    let mut ids: Vec<Id> = deliveries.iter().map(id).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
