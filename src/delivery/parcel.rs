//! A claimed delivery with all that its attempt needs, so that nothing is read
//! from the database between claiming and settling.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{EventId, TargetId, Timestamp, delivery, event, target};
use sea_orm::ConnectionTrait;
use secrecy::SecretString;

use crate::error::Result;
use crate::rules::envelope::Envelope;
use crate::store::deliveries::{self, Room};
use crate::store::{events, signing_keys, targets};
use crate::vault::Vault;

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
    /// The event.
    pub event: event::Model,
    /// Its body but for the stamp.
    pub envelope: Envelope,
}

/// A target and its signing secrets, newest first. Deliveries share it.
#[derive(Debug)]
pub struct Address {
    /// The target.
    pub target: target::Model,
    /// The secrets of its unexpired keys.
    pub secrets: Vec<SecretString>,
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
    vault: &Vault,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<Parcel>> {
    let claimed = deliveries::claim(tx, rooms, now, lease_until).await?;
    let letters = letters(tx, &claimed).await?;
    let addresses = addresses(tx, &claimed, vault, now).await?;
    let pack = |delivery: delivery::Model| {
        let letter = letters.get(&delivery.event_id).cloned();
        let address = match addresses.get(&delivery.target_id) {
            Some(Ok(address)) => Some(address.clone()),
            Some(Err(Unreadable)) => return None,
            None => None,
        };
        let contents = letter.zip(address).map(|(letter, address)| Contents { letter, address });
        Some(Parcel { delivery, contents })
    };
    Ok(claimed.into_iter().filter_map(pack).collect())
}

/// The secrets of a target cannot be opened. Its deliveries wait, one lease after another, for
/// somebody to put the encryption key right; those of others do not.
#[derive(Debug, Clone, Copy)]
struct Unreadable;

async fn letters(
    tx: &impl ConnectionTrait,
    claimed: &[delivery::Model],
) -> Result<HashMap<EventId, Arc<Letter>>> {
    let ids = distinct(claimed, |delivery| &delivery.event_id);
    let events = events::list(tx, ids).await?.into_iter().map(|event| {
        let envelope = Envelope::new(&event.id, event.name, &event.node, event.created_at);
        (event.id.clone(), Arc::new(Letter { event, envelope }))
    });
    Ok(events.collect())
}

async fn addresses(
    tx: &impl ConnectionTrait,
    claimed: &[delivery::Model],
    vault: &Vault,
    now: Timestamp,
) -> Result<HashMap<TargetId, Result<Arc<Address>, Unreadable>>> {
    let ids = distinct(claimed, |delivery| &delivery.target_id);
    let mut keys = signing_keys::of_targets(tx, &ids, now).await?;
    let mut addresses = HashMap::new();
    for target in targets::list(tx, ids).await? {
        let keys = keys.remove(&target.id).unwrap_or_default();
        let secrets = keys.iter().map(|key| vault.open(key.id.as_str(), &key.sealed_secret));
        let address = match secrets.collect::<anyhow::Result<_>>() {
            Ok(secrets) => Ok(Arc::new(Address { target: target.clone(), secrets })),
            Err(error) => {
                tracing::error!(target = %target.id, %error, "deliveries wait for the encryption key");
                Err(Unreadable)
            }
        };
        addresses.insert(target.id, address);
    }
    Ok(addresses)
}

fn distinct<Id: Clone + Ord>(claimed: &[delivery::Model], id: fn(&delivery::Model) -> &Id) -> Vec<Id> {
    let mut ids: Vec<Id> = claimed.iter().map(id).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
