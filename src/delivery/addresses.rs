//! Where notifications go, and what signs them: read once, and kept as long as it is true.
//!
//! A target's row tells whether its address has changed, by the count of its rotations too;
//! so a row that was read anew is all that it takes to know that the address still holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::{TargetId, Timestamp, signing_key, target};
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;

use crate::app::http::Destination;
use crate::error::Result;
use crate::rules::signature::Signer;
use crate::store::signing_keys;
use crate::vault::Vault;

/// How many addresses are kept.
const KEPT: usize = 4_096;

/// A target and its signing keys, newest first. Deliveries share it.
#[derive(Debug)]
pub struct Address {
    /// The target.
    pub target: target::Model,
    /// Its URI, read.
    pub destination: Destination,
    /// Its unexpired keys.
    pub signer: Signer,
    /// When the first of the keys expires.
    until: Option<Timestamp>,
}

/// The addresses of targets that were asked for. Who is not among them is gone.
pub type Addresses = HashMap<TargetId, Result<Arc<Address>, Unreadable>>;

/// The secrets of a target cannot be opened. Its deliveries wait, one lease after another, for
/// somebody to put the encryption key right; those of others do not.
#[derive(Debug, Clone, Copy)]
pub struct Unreadable;

impl Address {
    fn new(target: target::Model, keys: &[signing_key::Model], vault: &Vault) -> anyhow::Result<Self> {
        let open = |key: &signing_key::Model| vault.open(key.id.as_str(), &key.sealed_secret);
        let secrets = keys.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
        let signer = Signer::new(secrets.iter().map(ExposeSecret::expose_secret));
        let destination = Destination::new(&target.uri)?;
        let until = keys.iter().filter_map(|key| key.expires_at).min();
        Ok(Self { target, destination, signer, until })
    }

    fn is_of(&self, target: &target::Model, now: Timestamp) -> bool {
        self.target == *target && self.until.is_none_or(|until| now < until)
    }
}

/// The addresses that were needed of late. Cheap to clone; all clones share them.
#[derive(Debug, Clone)]
pub struct AddressBook {
    vault: Vault,
    kept: Arc<Mutex<HashMap<TargetId, Arc<Address>>>>,
}

impl AddressBook {
    /// An empty one.
    pub fn new(vault: Vault) -> Self {
        Self { vault, kept: Arc::default() }
    }

    /// The addresses of targets that were just read. Keys are read of those only that are new or have
    /// changed.
    pub async fn find(
        &self,
        db: &impl ConnectionTrait,
        targets: Vec<target::Model>,
        now: Timestamp,
    ) -> Result<Addresses> {
        let (mut addresses, unknown) = self.look_up(targets, now);
        if unknown.is_empty() {
            return Ok(addresses);
        }
        let ids: Vec<_> = unknown.iter().map(|target| target.id.clone()).collect();
        let mut keys = signing_keys::of_targets(db, &ids, now).await?;
        for target in unknown {
            let (id, keys) = (target.id.clone(), keys.remove(&target.id).unwrap_or_default());
            let address = Address::new(target, &keys, &self.vault).map(Arc::new).map_err(|error| {
                tracing::error!(target = %id, %error, "deliveries wait for the encryption key");
                Unreadable
            });
            if let Ok(address) = &address {
                self.keep(address.clone());
            }
            addresses.insert(id, address);
        }
        Ok(addresses)
    }

    /// What is known of these targets, and those of which nothing is.
    fn look_up(&self, targets: Vec<target::Model>, now: Timestamp) -> (Addresses, Vec<target::Model>) {
        let kept = self.kept();
        let (mut known, mut unknown) = (Addresses::new(), Vec::new());
        for target in targets {
            match kept.get(&target.id).filter(|address| address.is_of(&target, now)) {
                Some(address) => drop(known.insert(target.id, Ok(address.clone()))),
                None => unknown.push(target),
            }
        }
        (known, unknown)
    }

    fn keep(&self, address: Arc<Address>) {
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(address.target.id.clone(), address);
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<TargetId, Arc<Address>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
