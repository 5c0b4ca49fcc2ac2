//! Records published events, as many calls in one transaction as are waiting, and
//! puts on the shelf what can be sent at once.
//!
//! A commit costs the same for one event as for a thousand, so callers that come
//! while one is under way share the next. Nobody is answered before his events are
//! on disk. What there is a place for is claimed as it is inserted and handed over
//! in memory; all else waits in the database, for any replica.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use entity::{DeliveryState, EventId, Timestamp, delivery, event};
use fail::fail_point;
use sea_orm::ConnectionTrait;

use crate::app::publisher::{Call, Calls};
use crate::app::{App, Bell};
use crate::clock::Clock;
use crate::db::{Db, despite_conflicts};
use crate::delivery::parcel::{self, Contents, Letter, Parcel, distinct, weight_of};
use crate::delivery::shelf::{Promises, Shelf};
use crate::error::{Error, Result};
use crate::store::deliveries;
use crate::store::events::{self, Publication, Published};
use crate::vault::Vault;

/// How many events may share a transaction: more would keep others from writing for too long.
const EVENTS: usize = 2_000;

/// Records what is published. It holds no [`App`], which it would keep alive for ever.
#[derive(Debug)]
pub struct Intake {
    db: Db,
    clock: Clock,
    vault: Vault,
    bell: Bell,
    lease: Duration,
    shelf: Option<Shelf>,
}

/// What is handed over once it is on disk.
struct Handover {
    promises: Promises,
    parcels: Vec<Parcel>,
}

impl Intake {
    /// An intake that puts on the shelf what it can. Without a shelf nothing is sent from here.
    pub fn new(app: &App, shelf: Option<Shelf>) -> Self {
        let (db, clock, vault) = (app.db.clone(), app.clock.clone(), app.vault.clone());
        Self { db, clock, vault, bell: app.bell.clone(), lease: app.settings.lease, shelf }
    }

    /// Answers calls until nobody can make one any more.
    pub async fn run(self, mut calls: Calls) {
        while let Some(first) = calls.recv().await {
            let gathered = gather(first, &mut calls).into_iter();
            let (publications, answers): (Vec<_>, Vec<_>) =
                gathered.map(|call| (call.publication, call.answer)).unzip();
            match despite_conflicts(|| self.record(&publications)).await {
                Ok(events) => {
                    for (answer, events) in answers.into_iter().zip(events) {
                        answer.send(Ok(events)).ok();
                    }
                }
                Err(error) => {
                    let shared = Arc::new(error);
                    for answer in answers {
                        let error = anyhow::anyhow!("events could not be recorded: {shared}");
                        answer.send(Err(Error::Internal(error))).ok();
                    }
                }
            }
        }
    }

    async fn record(&self, publications: &[Publication]) -> Result<Vec<Vec<event::Model>>> {
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        let mut published = events::publish(&tx, publications, now).await?;
        let handover = self.claim(&tx, &mut published, now).await?;
        deliveries::insert_all(&tx, &published.due).await?;
        fail_point!("before-commit", |_| Err(anyhow::anyhow!("a fault was injected").into()));
        tx.commit().await?;
        fail_point!("before-answer", |_| Err(anyhow::anyhow!("a fault was injected").into()));
        if let Some(Handover { promises, parcels }) = handover {
            promises.keep(parcels);
        }
        let is_waiting = |row: &delivery::Model| row.state == DeliveryState::Waiting;
        self.bell.ring(published.due.into_iter().filter(is_waiting).map(|row| row.target_id));
        Ok(published.events)
    }

    /// Claims what there is a place for on the shelf, before it is inserted.
    async fn claim(
        &self,
        tx: &impl ConnectionTrait,
        Published { events, due }: &mut Published,
        now: Timestamp,
    ) -> Result<Option<Handover>> {
        let Some(places) = &self.shelf else { return Ok(None) };
        let addresses = parcel::addresses(tx, distinct(due, |row| &row.target_id), &self.vault, now).await?;
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

/// Takes what else is waiting already, as long as it fits.
fn gather(first: Call, more: &mut Calls) -> Vec<Call> {
    let mut count = first.publication.events.len();
    let mut calls = vec![first];
    while count < EVENTS
        && let Ok(call) = more.try_recv()
    {
        count += call.publication.events.len();
        calls.push(call);
    }
    calls
}
