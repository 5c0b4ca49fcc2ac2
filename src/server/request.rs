//! The way in: what a request is, who sends it, and how long it may take.

pub(crate) mod body;
pub(crate) mod client_ip;
pub(crate) mod deadline;
pub(crate) mod endpoint;
pub(crate) mod media;
