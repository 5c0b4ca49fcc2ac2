//! A claimed delivery with all that its attempt needs, so that nothing is read
//! from the database between claiming and settling.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{Environment, EventId, TargetId, Timestamp, delivery, event, signing_key, target};
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;

use crate::app::http::Destination;
use crate::error::Result;
use crate::rules::envelope::Envelope;
use crate::rules::signature::Signer;
use crate::store::claims::{self, Room};
use crate::store::{events, signing_keys, targets};
use crate::vault::Vault;

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

/// A target and its signing keys, newest first. Deliveries share it.
#[derive(Debug)]
pub struct Address {
    /// The target.
    pub target: target::Model,
    /// Its URI, read.
    pub destination: Destination,
    /// Its unexpired keys.
    pub signer: Signer,
}

/// The addresses of targets that were asked for. Who is not among them is gone.
pub type Addresses = HashMap<TargetId, Result<Arc<Address>, Unreadable>>;

/// The secrets of a target cannot be opened. Its deliveries wait, one lease after another, for
/// somebody to put the encryption key right; those of others do not.
#[derive(Debug, Clone, Copy)]
pub struct Unreadable;

impl Letter {
    /// Writes the letter of an event.
    pub fn new(event: &event::Model) -> Self {
        let envelope = Envelope::new(&event.id, event.name, &event.node, event.created_at);
        Self { environment: event.environment, envelope, weight: weight_of(event) }
    }
}

/// How much of the room in memory a delivery of the event takes: at least one unit.
pub fn weight_of(event: &event::Model) -> usize {
    1 + event.node.len() / UNIT
}

impl Parcel {
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
    vault: &Vault,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<Parcel>> {
    let claimed = claims::claim(tx, rooms, now, lease_until).await?;
    let letters = letters(tx, &claimed).await?;
    let targets = distinct(&claimed, |delivery| &delivery.target_id);
    let addresses = addresses(tx, targets, vault, now).await?;
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

/// Reads targets and the keys that sign for them now.
pub async fn addresses(
    db: &impl ConnectionTrait,
    ids: Vec<TargetId>,
    vault: &Vault,
    now: Timestamp,
) -> Result<Addresses> {
    if ids.is_empty() {
        return Ok(Addresses::new());
    }
    let mut keys = signing_keys::of_targets(db, &ids, now).await?;
    let mut addresses = Addresses::new();
    for target in targets::list(db, ids).await? {
        let (id, keys) = (target.id.clone(), keys.remove(&target.id).unwrap_or_default());
        let address = address(target, &keys, vault).map(Arc::new).map_err(|error| {
            tracing::error!(target = %id, %error, "deliveries wait for the encryption key");
            Unreadable
        });
        addresses.insert(id, address);
    }
    Ok(addresses)
}

fn address(target: target::Model, keys: &[signing_key::Model], vault: &Vault) -> anyhow::Result<Address> {
    let open = |key: &signing_key::Model| vault.open(key.id.as_str(), &key.sealed_secret);
    let secrets = keys.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let signer = Signer::new(secrets.iter().map(ExposeSecret::expose_secret));
    let destination = Destination::new(&target.uri)?;
    Ok(Address { target, destination, signer })
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
