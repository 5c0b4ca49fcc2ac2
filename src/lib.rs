//! Reprise: a self-hosted server that speaks the Highnote notification API and
//! delivers its webhooks.
//!
//! The modules stand on floors. A module uses the floors below its own, none
//! above and no neighbour; `tests/it/tidy.rs` reads this list and keeps it so.

// Floor 1: values.
pub mod clock;
mod error;
pub mod vault;

// Floor 2: pure functions, no I/O, no async.
pub mod rules;

// Floor 3: SQL.
pub mod db;
pub mod store;

// Floor 4: how much.
pub mod quota;

// Floor 5: who asks, and the way out.
pub mod auth;
mod outbound;

// Floor 6: what the process shares.
pub mod app;

// Floor 7: the entry points.
pub mod delivery;
pub mod graphql;

// Floor 8: HTTP.
pub mod server;

// Floor 9: settings from outside.
mod config;

// Floor 10: commands.
pub mod cli;
