//! The rules of the contract as pure functions: no I/O, no async, no clock, no
//! randomness of their own. Each has its table of cases beside it.

pub mod credential;
pub(crate) mod email;
pub mod envelope;
pub(crate) mod ip;
pub(crate) mod json;
pub mod limits;
pub(crate) mod mail;
pub mod page;
pub mod payload;
pub(crate) mod quota;
pub(crate) mod removal;
pub mod retry;
pub(crate) mod settlement;
pub mod signature;
pub(crate) mod target_status;
pub(crate) mod text;
pub(crate) mod time_filter;
pub mod uri;
