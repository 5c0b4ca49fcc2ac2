//! A gate that the test opens, to decide when a held answer goes out.
//!
//! It opens once and stays open, so a request that comes later is not held.

use std::sync::Arc;

use tokio::sync::watch;

/// Closed at first; its clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everyone through, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn opened(&self) {
        let mut gate = self.0.subscribe();
        gate.wait_for(|is_open| *is_open).await.expect("`self` keeps the sender");
    }
}
