//! Records published events, and claims of their deliveries what can be sent at once.
//!
//! What there is a place for on the shelf is claimed as it is inserted and handed over
//! in memory, once it is on disk; all else waits in the database, for any replica.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use entity::{DeliveryState, EventId, TargetId, TargetStatus, Timestamp, delivery, event, target};
use sea_orm::ConnectionTrait;

use crate::app::{App, Bell};
use crate::delivery::parcel::{Contents, Letter, Parcel, weight_of};
use crate::delivery::shelf::{Promises, Shelf};
use crate::error::Result;
use crate::store::events::{self, Publication, Published};

/// Records what is published.
#[derive(Debug)]
pub struct Intake {
    lease: Duration,
    shelf: Option<Shelf>,
}

/// What was recorded, and what is handed over once it is on disk. Dropped, its places on the shelf are
/// free again.
#[derive(Debug)]
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

    /// Records events with their deliveries, in a transaction that is still to be committed (D1).
    pub async fn record(
        &self,
        tx: &impl ConnectionTrait,
        publications: &[Publication],
        now: Timestamp,
    ) -> Result<Recorded> {
        if publications.is_empty() {
            return Ok(Recorded { events: Vec::new(), waiting: Vec::new(), handover: None });
        }
        let mut published = events::publish(tx, publications, now).await?;
        let handover = self.claim(tx, &mut published, now).await?;
        let is_waiting = |row: &&delivery::Model| row.state == DeliveryState::Waiting;
        let waiting = published.due.iter().filter(is_waiting).map(|row| row.target_id.clone()).collect();
        let events = published.write(tx).await?;
        Ok(Recorded { events, waiting, handover })
    }

    /// Claims what there is a place for on the shelf, before it is inserted.
    async fn claim(
        &self,
        tx: &impl ConnectionTrait,
        Published { events, due, targets, .. }: &mut Published,
        now: Timestamp,
    ) -> Result<Option<Handover>> {
        let Some(places) = &self.shelf else { return Ok(None) };
        let is_active = |target: &target::Model| target.status == TargetStatus::Active;
        let targets = std::mem::take(targets).into_values().filter(is_active).collect();
        let addresses = places.addresses().find(tx, targets, now).await?;
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
        Ok(Some(Handover { promises, parcels }))
    }
}
