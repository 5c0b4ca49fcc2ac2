//! Wakes the delivery engine when there is something to do.
//!
//! That is done after a commit, never before, and only saves waiting: what nobody was woken for
//! is found at the next regular look.

use std::collections::HashSet;
use std::sync::Arc;

use entity::TargetId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Wakes one sleeper. Cheap to clone; all clones wake the same one.
#[derive(Debug, Clone, Default)]
pub struct Wakeup(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    due: Mutex<Due>,
    notify: Notify,
}

/// What the sleeper was woken for since it was awake last.
#[derive(Debug, Default)]
pub struct Due {
    /// Targets that have deliveries due now.
    pub targets: HashSet<TargetId>,
    /// Whether all targets are to be looked at, because one was deactivated or removed.
    pub everywhere: bool,
}

impl Wakeup {
    /// Says that these targets have deliveries due now.
    pub fn wake(&self, targets: impl IntoIterator<Item = TargetId>) {
        self.change(|due| due.targets.extend(targets));
    }

    /// Says that a look at all targets is worth it.
    pub fn wake_everywhere(&self) {
        self.change(|due| due.everywhere = true);
    }

    /// Waits until there is something to do.
    pub async fn woken(&self) -> Due {
        loop {
            let notified = self.0.notify.notified();
            let due = self.take();
            if due.everywhere || !due.targets.is_empty() {
                return due;
            }
            notified.await;
        }
    }

    /// What there is to do until now, without waiting.
    pub fn take(&self) -> Due {
        std::mem::take(&mut *self.0.due.lock())
    }

    fn change(&self, change: impl FnOnce(&mut Due)) {
        change(&mut self.0.due.lock());
        self.0.notify.notify_one();
    }
}
