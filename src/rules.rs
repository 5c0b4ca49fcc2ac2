//! The rules of the contract as pure functions: no I/O, no async, no clock, no
//! randomness of their own. Each has its table of cases beside it.

pub mod credential;
pub mod email;
pub mod envelope;
pub mod ip;
pub mod json;
pub mod limits;
pub mod mail;
pub mod page;
pub mod payload;
pub mod quota;
pub mod removal;
pub mod retry;
pub mod settlement;
pub mod signature;
pub mod target_status;
pub mod text;
pub mod time_filter;
pub mod uri;
