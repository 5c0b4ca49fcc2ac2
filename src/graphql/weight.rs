//! How much of payloads one answer may hold. A payload may be long, and a document may ask for it
//! under a hundred names, of two hundred events.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// Bytes of JSON in all payloads of an answer together.
const LIMIT: usize = 16 * 1_024 * 1_024;

/// What the payloads of one answer come to.
#[derive(Debug, Default)]
pub struct Weight(AtomicUsize);

impl Weight {
    /// Adds a payload of so many bytes that is asked for so many times.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn add(&self, bytes: usize, times: usize) -> Result<()> {
        let more = bytes.saturating_mul(times);
        let weight = self.0.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        if weight <= LIMIT {
            return Ok(());
        }
        let message = format!("The payloads are longer than {LIMIT} bytes in all. Ask for fewer at a time.");
        Err(Error::BadArgument(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_a_weight_in_all() {
        let weight = Weight::default();
        assert!(weight.add(LIMIT / 4, 3).is_ok());
        assert!(weight.add(LIMIT / 4, 1).is_ok());
        assert!(weight.add(1, 1).is_err());
        assert!(Weight::default().add(usize::MAX, 2).is_err());
    }
}
