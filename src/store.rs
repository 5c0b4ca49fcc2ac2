//! The statements: everything that reads or writes a table. Each table has a module; what concerns several
//! tables at once (`bulk`, `claims`, `lists`, `pages`, `settlement`) has one of its own.
//!
//! Each is written once for both databases. Reads of a caller's data start from
//! [`Scope`]; writes take the transaction that the entry point opened.

pub mod api_keys;
pub(crate) mod attempts;
pub(crate) mod audit;
pub(crate) mod bulk;
pub mod claims;
pub mod deliveries;
pub(crate) mod encryption_keys;
pub(crate) mod events;
pub(crate) mod lists;
pub(crate) mod mails;
pub mod organizations;
pub(crate) mod pages;
pub(crate) mod scope;
pub(crate) mod settlement;
pub mod signing_keys;
pub(crate) mod status_changes;
pub(crate) mod subscriptions;
pub(crate) mod targets;
pub mod timekeeping;

pub use scope::Scope;
