//! The statements: everything that reads or writes a table. Each table has a module; what concerns several
//! tables at once (`bulk`, `claims`, `lists`, `pages`, `settlement`) has one of its own.
//!
//! Each is written once for both databases. Reads of a caller's data start from
//! [`Scope`]; writes take the transaction that the entry point opened.

pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod bulk;
pub mod claims;
pub mod deliveries;
pub mod encryption_keys;
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
pub mod timekeeping;

pub use scope::Scope;
