//! Records published events, and claims of their deliveries what can be sent at once.
//!
//! What there is a place for on the shelf is claimed as it is inserted and handed over
//! in memory, once it is on disk; all else waits in the database, for any replica.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use entity::{DeliveryState, EventId, TargetId, Timestamp, delivery, event};
use sea_orm::ConnectionTrait;

use crate::app::{App, Bell};
use crate::delivery::attempt::job::{Contents, Letter, Parcel, weight_of};
use crate::delivery::attempt::recipients::Addresses;
use crate::delivery::buffer::{Promises, Shelf};
use crate::error::Result;
use crate::store::bulk::Script;
use crate::store::events::{Publication, Published, Repeated, Sketch};

/// Records what is published.
#[derive(Debug)]
pub struct Intake {
    lease: Duration,
    shelf: Option<Shelf>,
}

/// What is about to be recorded. Dropped, its places on the shelf are free again.
#[derive(Debug)]
pub enum Draft {
    /// It has only to be written.
    Finished(Box<Finished>),
    /// Some of it may have been published before, which only the database can tell.
    Keyed(Sketch, Addresses),
}

/// All that is to be written, and what is handed over once it is on disk.
#[derive(Debug)]
pub struct Finished {
    script: Script,
    recorded: Recorded,
}

/// What was recorded, and what is handed over once it is on disk. Dropped, its places on the shelf are
/// free again.
#[derive(Debug, Default)]
pub struct Recorded {
    events: Vec<Vec<event::Model>>,
    /// The targets of what waits in the database.
    waiting: Vec<TargetId>,
    handover: Option<Handover>,
}

#[derive(Debug)]
struct Handover {
    promises: Promises,
    parcels: Vec<Parcel>,
}

impl Recorded {
    /// Puts on the shelf what was claimed, rings for the rest, and tells for each publication its events.
    pub fn hand_over(self, bell: &Bell) -> Vec<Vec<event::Model>> {
        if let Some(Handover { promises, parcels }) = self.handover {
            promises.keep(parcels);
        }
        if !self.waiting.is_empty() {
            bell.ring(self.waiting);
        }
        self.events
    }
}

impl Intake {
    /// An intake that claims what the shelf has a place for; without a shelf, nothing.
    pub fn new(app: &App, shelf: Option<Shelf>) -> Self {
        Self { lease: app.settings.lease, shelf }
    }

    /// Reads what has to be known of subscribers, and does all that can be done before a transaction.
    pub async fn draft(
        &self,
        db: &impl ConnectionTrait,
        publications: &[Publication],
        now: Timestamp,
    ) -> Result<Draft> {
        let sketch = Sketch::of(db, publications, now).await?;
        let addresses = match &self.shelf {
            Some(places) => places.addresses().find(db, sketch.targets(), now).await?,
            None => Addresses::new(),
        };
        Ok(if sketch.has_keys() {
            Draft::Keyed(sketch, addresses)
        } else {
            Draft::Finished(Box::new(self.finish(db, sketch, &addresses, &Repeated::new(), now)))
        })
    }

    /// Records events with their deliveries, in a transaction that is still to be committed (D1).
    pub async fn record(&self, tx: &impl ConnectionTrait, draft: Draft, now: Timestamp) -> Result<Recorded> {
        let Finished { script, recorded } = match draft {
            Draft::Finished(finished) => *finished,
            Draft::Keyed(sketch, addresses) => {
                let repeated = sketch.insert_keyed(tx).await?;
                self.finish(tx, sketch, &addresses, &repeated, now)
            }
        };
        script.run(tx).await?;
        Ok(recorded)
    }

    fn finish(
        &self,
        db: &impl ConnectionTrait,
        sketch: Sketch,
        addresses: &Addresses,
        repeated: &Repeated,
        now: Timestamp,
    ) -> Finished {
        let mut published = sketch.publish(db, repeated, now);
        let handover = self.shelf.as_ref().map(|places| self.claim(places, &mut published, addresses, now));
        let is_waiting = |row: &&delivery::Model| row.state == DeliveryState::Waiting;
        let waiting = published.due.iter().filter(is_waiting).map(|row| row.target_id.clone()).collect();
        let (script, events) = published.written();
        Finished { script, recorded: Recorded { events, waiting, handover } }
    }

    /// Claims what there is a place for on the shelf, before it is inserted.
    fn claim(
        &self,
        places: &Shelf,
        Published { events, due, .. }: &mut Published,
        addresses: &Addresses,
        now: Timestamp,
    ) -> Handover {
        let address_of = |row: &delivery::Model| addresses.get(&row.target_id)?.as_ref().ok();
        let events: HashMap<&EventId, &event::Model> =
            events.iter().flatten().map(|event| (&event.id, event)).collect();
        let weigh = |row: &delivery::Model| {
            address_of(row)?;
            events.get(&row.event_id).map(|event| weight_of(event))
        };
        let promises = places.promise(due, weigh, now + self.lease);
        let mut letters: HashMap<&EventId, Arc<Letter>> = HashMap::new();
        let mut pack = |row: &delivery::Model| {
            let (id, event) = events.get_key_value(&row.event_id)?;
            let letter = letters.entry(id).or_insert_with(|| Arc::new(Letter::new(event))).clone();
            let address = address_of(row)?.clone();
            Some(Parcel { delivery: row.clone(), contents: Some(Contents { letter, address }) })
        };
        let claimed = due.iter().filter(|row| row.state == DeliveryState::Claimed);
        let parcels = claimed.filter_map(&mut pack).collect();
        Handover { promises, parcels }
    }
}
