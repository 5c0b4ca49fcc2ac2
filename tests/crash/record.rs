//! What the database holds of the events, page by page, to be held against the receipts.
//!
//! An attempt is stamped with the time of its beginning, so a receipt and the record of its
//! attempt belong together exactly, and what was sent but not recorded is known.

use std::collections::HashMap;

use entity::{AttemptStatus, EventId, attempt, delivery, event};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::history::Receipt;

/// How many events are looked at together.
const PAGE: u64 = 1_000;

/// The digits of an id.
pub(crate) fn number(id: &str) -> u128 {
    u128::from_str_radix(&id[id.len() - 32..], 16).unwrap()
}

/// Some events, with all that is recorded of them.
pub(crate) struct Page {
    pub events: Vec<event::Model>,
    deliveries: HashMap<EventId, Vec<delivery::Model>>,
    attempts: HashMap<EventId, Vec<attempt::Model>>,
}

impl Page {
    /// The events after the last one that was looked at, in the order of their ids.
    pub(crate) async fn after(db: &DatabaseConnection, last: Option<EventId>) -> Option<Self> {
        let after = last.as_ref().map_or("", EventId::as_str);
        let events = event::Entity::find().filter(event::Column::Id.gt(after));
        let events = events.order_by_asc(event::Column::Id).limit(PAGE).all(db).await.unwrap();
        let (from, to) = (&events.first()?.id, &events.last()?.id);
        let deliveries = delivery::Entity::find().filter(delivery::Column::EventId.between(from, to));
        let attempts = attempt::Entity::find().filter(attempt::Column::EventId.between(from, to));
        Some(Self {
            deliveries: by_event(deliveries.all(db).await.unwrap(), |row| &row.event_id),
            attempts: by_event(attempts.all(db).await.unwrap(), |row| &row.event_id),
            events,
        })
    }

    pub(crate) fn deliveries(&self, event: &EventId) -> &[delivery::Model] {
        self.deliveries.get(event).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn attempts(&self, event: &EventId) -> &[attempt::Model] {
        self.attempts.get(event).map_or(&[], Vec::as_slice)
    }
}

fn by_event<Row>(rows: Vec<Row>, event: fn(&Row) -> &EventId) -> HashMap<EventId, Vec<Row>> {
    let mut sorted: HashMap<EventId, Vec<Row>> = HashMap::new();
    for row in rows {
        sorted.entry(event(&row).clone()).or_default().push(row);
    }
    sorted
}

/// What is known of one delivery.
pub(crate) struct Trace<'a> {
    pub attempts: Vec<&'a attempt::Model>,
    /// In the order of their stamps.
    pub receipts: Vec<Receipt>,
}

impl Trace<'_> {
    pub(crate) fn has(&self, status: AttemptStatus) -> bool {
        self.attempts.iter().any(|attempt| attempt.status == status)
    }

    pub(crate) fn receipt_of(&self, attempt: &attempt::Model) -> Option<&Receipt> {
        self.receipts.iter().find(|receipt| receipt.is_accepted && receipt.stamp == attempt.created_at)
    }

    pub(crate) fn record_of(&self, receipt: &Receipt) -> Option<AttemptStatus> {
        let same = |attempt: &&&attempt::Model| attempt.created_at == receipt.stamp;
        self.attempts.iter().find(same).map(|attempt| attempt.status)
    }
}
