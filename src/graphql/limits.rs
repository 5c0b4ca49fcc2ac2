//! What one operation may cost, and what is taken for it before anything of it is done.

pub mod admission;
pub mod charge;
pub mod cost;
pub mod payload_budget;
