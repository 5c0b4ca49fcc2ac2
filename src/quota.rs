//! How much: the limits of the API, and what is used of them. All of it is counted per process.

pub mod files;
pub(crate) mod ledger;
pub mod limits;
pub mod memory;

pub use files::Files;
pub use ledger::{Ledger, RateCharge, RequestClass};
pub use limits::ApiLimits;
