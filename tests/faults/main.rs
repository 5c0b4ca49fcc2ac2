//! Faults, one at a time: a failure at each line where it would hurt, and at
//! every single call of the database.
//!
//! The failpoints are compiled into tests only. They are the process's, so these
//! stories live in a process of their own and follow one another.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unchecked_time_subtraction,
    reason = "a story that fails panics, and is written to be read"
)]

mod acknowledged;
mod calls;
mod clocks;
mod conflicts;
mod connecting;
mod disk;
mod endurance;
mod failover;
mod migrating;
mod outage;
mod own;
mod points;
mod proxy;
mod starting;
mod tasks;
mod transactions;
