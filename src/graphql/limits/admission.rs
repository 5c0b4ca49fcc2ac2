//! What an operation needs before anything of it is done: memory for what it may hold, by its points and its
//! fields, and a turn.
//!
//! Fields are resolved side by side, so an operation holds something for each value of its answer until it
//! ends. The rows that it reads are counted as they come ([`PayloadBudget`](super::weight::PayloadBudget)), and use up
//! first what was taken ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::quota::memory::{Full, Share};

/// What a field takes that is there at once, and what a point stands for: an object whose fields wait for the
/// database. Both were measured, and are a little more than that.
pub const FIELD: usize = 512;
const POINT: usize = 5 * 1_024;

/// What every operation takes, however little it asks for.
const LEAST: usize = 32 * 1_024;

/// What questions about the schema take, whose lists are not counted by points.
const SCHEMA: usize = 16 * 1_024 * 1_024;

/// An operation that is to be executed.
#[derive(Debug)]
pub struct Admission {
    share: Arc<Share>,
    /// What it may hold for its fields, each of them once.
    bytes: usize,
    turns: Option<Arc<Semaphore>>,
    turn: Mutex<Option<OwnedSemaphorePermit>>,
    has_begun: AtomicBool,
}

impl Admission {
    /// The admission of an operation with these selections; without turns it need not wait for one.
    pub fn new(
        share: Arc<Share>,
        document: &ExecutableDocument,
        selections: Option<&SelectionSet>,
        turns: Option<Arc<Semaphore>>,
    ) -> Self {
        let bytes = LEAST + selections.map_or(0, |selections| of_selections(document, selections));
        Self { share, bytes, turns, turn: Mutex::default(), has_begun: AtomicBool::new(false) }
    }

    /// Takes memory for an operation of so many points.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn take_memory(&self, points: usize) -> Result<(), Full> {
        self.share.take_ahead(points.saturating_mul(POINT).saturating_add(self.bytes))
    }

    /// Waits for a turn, and keeps it until this is dropped.
    pub async fn wait_for_turn(&self) {
        if let Some(turns) = &self.turns {
            let turn = Arc::clone(turns).acquire_owned().await.ok();
            *self.turn.lock() = turn;
        }
        self.has_begun.store(true, Ordering::Release);
    }

    /// Whether its turn has come: before, nothing of it was done.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }
}

/// What the fields of a selection take with all spreads put in. The document has been checked: they are few.
fn of_selections(document: &ExecutableDocument, selections: &SelectionSet) -> usize {
    let of_selection = |selection: &Selection| match selection {
        Selection::Field(field)
            if field.node.name.node.starts_with("__") && field.node.name.node != "__typename" =>
        {
            SCHEMA
        }
        Selection::Field(field) => FIELD + of_selections(document, &field.node.selection_set.node),
        Selection::InlineFragment(fragment) => of_selections(document, &fragment.node.selection_set.node),
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(0, |fragment| of_selections(document, &fragment.node.selection_set.node))
        }
    };
    selections.items.iter().map(|selection| of_selection(&selection.node)).sum()
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn each_field_counts_wherever_it_stands() {
        for (document, expected) in [
            ("{ a }", FIELD),
            ("{ a { b ... { c } } __typename }", 4 * FIELD),
            ("{ ...F a { ...F } } fragment F on Query { b c ...G } fragment G on Query { d }", 7 * FIELD),
            ("{ __schema { types { name } } a }", SCHEMA + FIELD),
            ("{ ...Unknown }", 0),
        ] {
            let document = parse_query(document).unwrap();
            let (_, operation) = document.operations.iter().next().unwrap();
            assert_eq!(of_selections(&document, &operation.node.selection_set.node), expected);
        }
    }
}
