//! What one operation may hold in memory: known before anything of it is done, and counted as it is done.

pub(crate) mod footprint;
pub(crate) mod payload_budget;
