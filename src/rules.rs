//! The rules of the contract as pure functions: no I/O, no async, no clock, no
//! randomness of their own. Each has its table of cases beside it.

pub mod address;
pub mod credential;
pub mod email;
pub mod envelope;
pub mod json;
pub mod limits;
pub mod mail;
pub mod moment;
pub mod page;
pub mod payload;
pub mod quota;
pub mod removal;
pub mod retry;
pub mod signature;
pub mod text;
pub mod uri;
