//! A claimed delivery with all that its attempt needs, so that nothing is read
//! from the database between claiming and settling.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{Environment, EventId, Timestamp, delivery, event};
use sea_orm::ConnectionTrait;

use crate::delivery::attempt::recipients::{Address, AddressBook, NoAddress};
use crate::error::Result;
use crate::rules::envelope::Envelope;
use crate::store::claims::{self, Room};
use crate::store::{events, targets};

/// How many bytes of a payload are one unit of weight.
const UNIT: usize = 2_048;

/// A claimed delivery.
#[derive(Debug)]
pub struct Parcel {
    /// The row as it was claimed.
    pub delivery: delivery::Model,
    /// What is sent where; none if the event or the target is gone.
    pub contents: Option<Contents>,
}

/// What is sent, and where.
#[derive(Debug)]
pub struct Contents {
    /// The event.
    pub letter: Arc<Letter>,
    /// The target.
    pub address: Arc<Address>,
}

/// An event, ready to be stamped. Targets share it.
#[derive(Debug)]
pub struct Letter {
    /// Where it happened: it decides the schedule.
    pub environment: Environment,
    /// Its body but for the stamp.
    pub envelope: Envelope,
    /// How much of the room in memory it takes.
    pub weight: usize,
}

impl Letter {
    /// Writes the letter of an event.
    pub fn new(event: &event::Model) -> Self {
        let envelope = Envelope::new(&event.id, event.name.as_ref(), &event.node, event.created_at);
        Self { environment: event.environment, envelope, weight: weight_of(event) }
    }
}

/// How much of the room in memory a delivery of the event takes: at least one unit.
pub fn weight_of(event: &event::Model) -> usize {
    1 + event.node.len() / UNIT
}

impl Parcel {
    /// Takes in what was read of its target since it was packed.
    pub fn readdress(&mut self, latest: &Result<Arc<Address>, NoAddress>) {
        match (latest, &mut self.contents) {
            (Ok(address), Some(contents)) => contents.address = address.clone(),
            (Err(NoAddress::Gone), _) => self.contents = None,
            (Ok(_), None) | (Err(NoAddress::Unreadable), _) => {}
        }
    }

    /// How much of the room in memory it takes.
    pub fn weight(&self) -> usize {
        self.contents.as_ref().map_or(1, |contents| contents.letter.weight)
    }
}

impl Contents {
    /// Whether the target was deactivated after this was queued (D4).
    pub fn is_missed(&self, delivery: &delivery::Model) -> bool {
        delivery.epoch < self.address.target.epoch
    }
}

/// Claims what there is room for, and packs it.
pub async fn claim(
    tx: &impl ConnectionTrait,
    rooms: &[Room],
    book: &AddressBook,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<Parcel>> {
    let claimed = claims::claim(tx, rooms, now, lease_until).await?;
    let letters = letters(tx, &claimed).await?;
    let targets = targets::list(tx, distinct(&claimed, |delivery| &delivery.target_id)).await?;
    let addresses = book.find(tx, targets, now).await?;
    let pack = |delivery: delivery::Model| {
        let letter = letters.get(&delivery.event_id).cloned();
        let address = match addresses.get(&delivery.target_id) {
            Some(Ok(address)) => Some(address.clone()),
            Some(Err(NoAddress::Unreadable)) => return None,
            Some(Err(NoAddress::Gone)) | None => None,
        };
        let contents = letter.zip(address).map(|(letter, address)| Contents { letter, address });
        Some(Parcel { delivery, contents })
    };
    Ok(claimed.into_iter().filter_map(pack).collect())
}

async fn letters(
    tx: &impl ConnectionTrait,
    claimed: &[delivery::Model],
) -> Result<HashMap<EventId, Arc<Letter>>> {
    let ids = distinct(claimed, |delivery| &delivery.event_id);
    let events = events::list(tx, ids).await?;
    Ok(events.into_iter().map(|event| (event.id.clone(), Arc::new(Letter::new(&event)))).collect())
}

/// The ids of one kind in these deliveries, each once.
pub fn distinct<Id: Clone + Ord>(deliveries: &[delivery::Model], id: fn(&delivery::Model) -> &Id) -> Vec<Id> {
    let mut ids: Vec<Id> = deliveries.iter().map(id).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
