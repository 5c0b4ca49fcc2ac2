//! One attempt: what it needs (`job`, `recipients`), its task (`task`), its request (`send`),
//! and its line in the log (`log`).

pub(crate) mod job;
pub(crate) mod log;
pub(crate) mod recipients;
pub(crate) mod send;
pub(crate) mod task;
