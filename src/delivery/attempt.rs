//! One attempt: what it needs (`job`, `recipients`), its task (`task`), and its request (`send`).

pub mod job;
pub mod log;
pub mod recipients;
pub mod send;
pub mod task;
