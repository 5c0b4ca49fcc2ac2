//! Whether the delivery engine is alive, for whoever watches the process.

use std::sync::Arc;
use std::time::Duration;

use entity::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

/// The last sign of life. Cheap to clone; all clones show the same.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Mutex<Beat>>);

#[derive(Debug, Clone, Copy)]
struct Beat {
    at: Instant,
    oldest_due_at: Option<Timestamp>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Beat { at: Instant::now(), oldest_due_at: None })))
    }
}

impl Heartbeat {
    /// The engine has seen the database, and what has been due for longest in it.
    pub fn beat(&self, oldest_due_at: Option<Timestamp>) {
        *self.0.lock() = Beat { at: Instant::now(), oldest_due_at };
    }

    /// How long ago that was.
    pub fn silence(&self) -> Duration {
        self.last().at.elapsed()
    }

    /// How long the oldest due delivery had been waiting, as of `now`. It may belong to a slow
    /// target whose lane is full, so a great age is a hint and no failure.
    pub fn oldest_due(&self, now: Timestamp) -> Duration {
        self.last().oldest_due_at.map_or(Duration::ZERO, |due_at| now.since(due_at))
    }

    fn last(&self) -> Beat {
        *self.0.lock()
    }
}
