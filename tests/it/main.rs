//! The stories: what users of the server can rely on, told at its outer edge —
//! GraphQL over HTTP in, HTTPS out — on both databases.
//!
//! Nothing sleeps and nothing polls: the clock is moved by hand, and the engine
//! is waited for.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unchecked_time_subtraction,
    clippy::cloned_ref_to_slice_refs,
    reason = "a story that fails panics, and is written to be read"
)]

mod activation;
mod audit;
mod backup;
mod certificates;
mod clocks;
mod deactivation;
mod documentation;
mod documents;
mod execution;
mod files;
mod goodbyes;
mod guard;
mod hostile;
mod http;
mod keys;
mod leases;
mod limits;
mod locks;
mod log;
mod lost;
mod mail;
mod maintenance;
mod numbers;
mod paging;
mod publishing;
mod receivers;
mod replay;
mod retries;
mod schema;
mod secrets;
mod settings;
mod signing;
mod snapshots;
mod targets;
mod tenants;
mod tidy;

mod wire;
