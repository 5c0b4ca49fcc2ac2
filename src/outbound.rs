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
pub(crate) mod trouble;

pub(crate) use client::{HttpClient, Notification};
pub(crate) use destination::Destination;
pub(crate) use options::Options;
pub(crate) use outcome::Answer;
pub(crate) use trouble::Troubles;
