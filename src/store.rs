//! The statements: everything that reads or writes a table, one module a table.
//!
//! Each is written once for both databases. Reads of a caller's data start from
//! [`Scope`]; writes take the transaction that the door opened.

pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod deliveries;
pub mod events;
pub mod lists;
pub mod mails;
pub mod organizations;
pub mod pages;
pub mod scope;
pub mod settlement;
pub mod signing_keys;
pub mod status_changes;
pub mod subscriptions;
pub mod targets;

pub use scope::Scope;

use sea_orm::{EntityTrait, Iterable};

/// The fewest values that one statement may bind: SQLite takes 32,766, PostgreSQL 65,535.
const MAX_VALUES: usize = 32_766;

/// Cuts rows of `E` into pieces that fit into one statement each.
fn chunks<E: EntityTrait, T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    rows.chunks(MAX_VALUES / E::Column::iter().count())
}
