//! What this process has claimed: the lanes that it waits in, and the leases that
//! keep it ours. The dispatcher takes from it, the scribe adds to it.

pub mod lane;
pub mod lanes;
pub mod leases;
pub mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entity::{DeliveryState, TargetId, Timestamp, delivery};
use tokio::sync::mpsc;

use crate::delivery::attempt::job::Parcel;
use crate::delivery::attempt::recipients::{AddressBook, Addresses};
use crate::delivery::buffer::lanes::{Lanes, Limits};
use crate::delivery::buffer::leases::Leases;
use crate::delivery::dispatcher::Signal;
use crate::store::claims::Room;

/// Cheap to clone; all clones share it.
#[derive(Debug, Clone)]
pub struct Shelf {
    lanes: Arc<Mutex<Lanes<Parcel>>>,
    leases: Leases,
    addresses: AddressBook,
    signals: mpsc::UnboundedSender<Signal>,
}

impl Shelf {
    /// An empty shelf. `signals` hears when something was put on it.
    pub fn new(
        limits: Limits,
        leases: Leases,
        addresses: AddressBook,
        signals: mpsc::UnboundedSender<Signal>,
    ) -> Self {
        Self { lanes: Arc::new(Mutex::new(Lanes::new(limits))), leases, addresses, signals }
    }

    /// The lanes.
    pub fn lanes(&self) -> MutexGuard<'_, Lanes<Parcel>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leases.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Where it all goes.
    pub fn addresses(&self) -> &AddressBook {
        &self.addresses
    }

    /// Nothing is claimed, and nothing due as far as is known.
    pub fn is_empty(&self) -> bool {
        self.leases.are_settled() && self.lanes().are_quiet()
    }

    /// Takes in what was claimed for these rooms.
    pub fn claimed(&self, rooms: &[Room], parcels: Vec<Parcel>) {
        self.leases.take(parcels.iter().map(|parcel| &parcel.delivery));
        let brought = parcels.into_iter().map(|parcel| {
            let (target, weight) = (parcel.delivery.target_id.clone(), parcel.weight());
            (target, (parcel, weight))
        });
        self.lanes().claimed(rooms, brought);
    }

    /// These are written down.
    pub fn settled<'a>(&self, deliveries: impl Iterator<Item = &'a delivery::Model>) {
        self.leases.end(deliveries);
        self.signals.send(Signal::Settled).ok();
    }

    /// Claims, of deliveries that are about to be inserted, those that there is a place for. `weigh`
    /// tells how much room one takes; none, if it cannot be sent now.
    pub fn promise(
        &self,
        rows: &mut [delivery::Model],
        weigh: impl Fn(&delivery::Model) -> Option<usize>,
        lease_until: Timestamp,
    ) -> Promises {
        let mut places = Vec::new();
        let mut lanes = self.lanes();
        for row in rows {
            let Some(weight) = weigh(row) else { continue };
            if lanes.promise(&row.target_id, weight) {
                row.state = DeliveryState::Claimed;
                row.due_at = Some(lease_until);
                row.claim += 1;
                places.push((row.target_id.clone(), weight));
            }
        }
        Promises { shelf: self.clone(), places }
    }

    /// What was read again about the targets of what is in stock.
    pub fn readdress(&self, addresses: &Addresses) {
        let mut lanes = self.lanes();
        for (target, address) in addresses {
            lanes.stock_of(target).for_each(|parcel| parcel.readdress(address));
        }
    }
}

/// Places on the shelf for what is being written down. Dropped, they are free again.
#[derive(Debug)]
pub struct Promises {
    shelf: Shelf,
    /// Of which target, and how much room.
    places: Vec<(TargetId, usize)>,
}

impl Promises {
    /// Puts there what they were made for.
    pub fn keep(mut self, parcels: Vec<Parcel>) {
        self.places.clear();
        self.shelf.leases.take(parcels.iter().map(|parcel| &parcel.delivery));
        let mut lanes = self.shelf.lanes();
        for parcel in parcels {
            let (target, weight) = (parcel.delivery.target_id.clone(), parcel.weight());
            lanes.put(&target, parcel, weight);
        }
    }
}

impl Drop for Promises {
    fn drop(&mut self) {
        let mut lanes = self.shelf.lanes();
        self.places.drain(..).for_each(|(target, weight)| lanes.release(&target, weight));
        drop(lanes);
        self.shelf.signals.send(Signal::Stocked).ok();
    }
}
