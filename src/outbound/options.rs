//! What the operator can choose about the way out.

use std::path::PathBuf;
use std::time::Duration;

use crate::rules::{limits, uri};

/// How receivers are reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an attempt may take in all (W6).
    pub deadline: Duration,
    /// How many requests may be in flight in all.
    pub concurrency: usize,
    /// How old connections to receivers may become, so that a busy one hears of a new address.
    pub connection_age: Duration,
    /// The `user-agent` of notifications (W2).
    pub user_agent: String,
    /// Which URIs a target may have.
    pub uris: uri::Policy,
    /// A file with a certificate authority to trust besides the system's.
    pub extra_ca: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: limits::DEADLINE,
            concurrency: 1_024,
            connection_age: Duration::from_secs(60),
            user_agent: limits::USER_AGENT.to_owned(),
            uris: uri::Policy::default(),
            extra_ca: None,
        }
    }
}
