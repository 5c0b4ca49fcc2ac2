//! The way out: HTTP requests to receivers, and which addresses they may go to.
//!
//! A receiver that misbehaves is an [`Answer`], never an error of ours. What we lack ourselves to reach
//! one is a [`trouble`](trouble::Trouble).

mod classify;
mod client;
mod connector;
mod destination;
mod dns;
mod line;
mod options;
mod outcome;
mod pools;
mod resolver;
mod routes;
mod spread;
mod suspicion;
pub mod trouble;

pub use client::{HttpClient, Notification};
pub use destination::Destination;
pub use options::Options;
pub use outcome::Answer;
pub use trouble::Troubles;
