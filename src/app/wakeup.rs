//! Wakes the delivery engine when there is something to do.
//!
//! It is rung after a commit, never before, and only saves waiting: what nobody
//! rang for is found at the next regular look.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use entity::TargetId;
use tokio::sync::Notify;

/// A wakeup with one listener. Cheap to clone; all clones ring the same one.
#[derive(Debug, Clone, Default)]
pub struct Wakeup(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    rung: Mutex<Rung>,
    notify: Notify,
}

/// What the wakeup was rung for since somebody listened last.
#[derive(Debug, Default)]
pub struct Rung {
    /// Targets that have deliveries due now.
    pub due: HashSet<TargetId>,
    /// Whether all targets are to be looked at, because one was deactivated or removed.
    pub everywhere: bool,
}

impl Wakeup {
    /// Says that these targets have deliveries due now.
    pub fn ring(&self, due: impl IntoIterator<Item = TargetId>) {
        self.change(|rung| rung.due.extend(due));
    }

    /// Says that a look at all targets is worth it.
    pub fn ring_everywhere(&self) {
        self.change(|rung| rung.everywhere = true);
    }

    /// Waits until it was rung.
    pub async fn heard(&self) -> Rung {
        loop {
            let notified = self.0.notify.notified();
            let rung = self.take();
            if rung.everywhere || !rung.due.is_empty() {
                return rung;
            }
            notified.await;
        }
    }

    /// What it was rung for until now, without waiting.
    pub fn take(&self) -> Rung {
        std::mem::take(&mut *self.0.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Rung)) {
        change(&mut self.0.rung.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.notify.notify_one();
    }
}
