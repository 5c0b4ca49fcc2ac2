//! What one operation holds in memory while it is executed, counted as its rows are read.
//!
//! A payload may be long, and a document may ask for it under a hundred names, of two hundred events: how much
//! one answer may hold of them is bounded besides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{Context, SelectionField};

use crate::error::{Error, Result};
use crate::graphql::limits::footprint::FIELD;
use crate::quota::memory::{self, Full, Share};

/// Bytes of JSON in all payloads of an answer together.
const LIMIT: usize = 16 * 1_024 * 1_024;

/// What a row takes besides its long texts, and what an item of a list of words takes.
const ROW: usize = 1_024;
const WORD: usize = 256;

/// What one operation holds.
#[derive(Debug)]
pub(crate) struct PayloadBudget {
    share: Arc<Share>,
    payloads: AtomicUsize,
}

impl PayloadBudget {
    /// What is counted in this share.
    pub(crate) fn new(share: Arc<Share>) -> Self {
        Self { share, payloads: AtomicUsize::new(0) }
    }

    /// Adds a payload that is asked for so many times: its values as they are read, and its text in the answer.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(crate) fn add_payload(&self, text: &str, times: usize) -> Result<()> {
        let more = text.len().saturating_mul(times);
        let payloads = self.payloads.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        if payloads > LIMIT {
            let message =
                format!("The payloads are longer than {LIMIT} bytes in all. Ask for fewer at a time.");
            return Err(Error::BadArgument(message));
        }
        let values = memory::of_values(text.as_bytes()).saturating_mul(times);
        self.add(more.saturating_mul(2).saturating_add(values))
    }

    /// Adds the rows of a list, for each of which the fields below this one are resolved.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add_rows(&self, rows: usize, ctx: &Context<'_>) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        let of_row = ROW + FIELD * fields(&ctx.field());
        self.add(of_row.saturating_mul(rows))
    }

    /// Adds a list of words.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add_words(&self, words: usize) -> Result<()> {
        self.add(words * WORD)
    }

    /// Adds bytes that are held.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn add(&self, bytes: usize) -> Result<()> {
        add(&self.share, bytes)
    }
}

/// Takes bytes that an operation holds.
///
/// # Errors
/// When there is no room for them: by the request alone, or for now.
pub(crate) fn add(share: &Share, bytes: usize) -> Result<()> {
    share.use_up(bytes).map_err(|full| match full {
        Full::Request => Error::BadArgument(
            "What is asked for takes more memory than one request may take. Ask for fewer at a time."
                .to_owned(),
        ),
        Full::Organization | Full::Server => Error::Unavailable(BUSY.to_owned()),
    })
}

/// What is said when there is too much to do.
pub(crate) const BUSY: &str = "There is too much to do here at the moment. Try again later.";

/// How many fields are asked for below one, spreads put in.
fn fields(field: &SelectionField<'_>) -> usize {
    field.selection_set().map(|inner| 1 + fields(&inner)).sum()
}

#[cfg(test)]
mod tests {
    use entity::{OrganizationId, Timestamp};

    use super::*;
    use crate::quota::memory::{Memory, Purpose};

    fn weight(most: usize) -> PayloadBudget {
        let organization = OrganizationId::new(Timestamp::from_millis(1_700_000_000_000));
        PayloadBudget::new(Arc::new(Memory::new(most).share(organization, Purpose::Reading)))
    }

    #[test]
    fn payloads_have_a_weight_in_all() {
        let (weight, payload) = (weight(usize::MAX), "x".repeat(LIMIT / 4));
        assert!(weight.add_payload(&payload, 3).is_ok());
        assert!(weight.add_payload(&payload, 1).is_ok());
        assert!(weight.add_payload("1", 1).is_err());
        assert!(self::weight(usize::MAX).add_payload("11", usize::MAX).is_err());
    }

    #[test]
    fn a_refusal_for_memory_says_who_has_used_it() {
        let weight = weight(1_000);
        assert!(weight.add(400).is_ok());
        assert!(matches!(weight.add(101), Err(Error::BadArgument(_))));
        let memory = Memory::new(1_000);
        let organization = OrganizationId::new(Timestamp::from_millis(1_700_000_000_000));
        let first = memory.share(organization.clone(), Purpose::Reading);
        assert_eq!(first.grow(450), Ok(()));
        let second = PayloadBudget::new(Arc::new(memory.share(organization, Purpose::Reading)));
        assert!(matches!(second.add(51), Err(Error::Unavailable(_))));
    }
}
