//! The way in: what a request is, who sends it, and how long it may take.

pub mod body;
pub mod client_ip;
pub mod deadline;
pub mod endpoint;
pub mod media;
