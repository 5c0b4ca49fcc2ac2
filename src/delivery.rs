//! Stub of the engine's interface.
use crate::app::App;
use crate::error::Result;
use std::time::Duration;

/// The running engine.
#[derive(Debug)]
pub struct Engine;
impl Engine {
    /// Starts it.
    pub fn start(_app: App) -> Self {
        Self
    }
    /// Stops claiming, waits for what is in flight.
    pub async fn stop(self, _within: Duration) {}
    /// Works until nothing is due.
    pub async fn run_until_idle(&self) -> Result<()> {
        Ok(())
    }
}
