//! Intervals, limits and switches, with the contract's numbers as defaults.
//!
//! Where they come from (flags, environment) is `config`'s business.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::quota::limits::Door;
use crate::rules::retry::Schedules;
use crate::rules::{limits, uri};

/// What the operator of the server can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When failed deliveries are tried again (D2).
    pub schedules: Schedules,
    /// How long an attempt may take in all (W6).
    pub deadline: Duration,
    /// How long a claimed delivery is left to its claimant. Longer than the deadline, or
    /// attempts would be repeated while they run.
    pub lease: Duration,
    /// How many requests one target may have in flight.
    pub target_concurrency: usize,
    /// How many attempts a second one target may get from this process; none: as many as it takes.
    pub target_rate: Option<NonZeroU32>,
    /// How many requests may be in flight in all.
    pub concurrency: usize,
    /// How old connections to receivers may become, so that a busy one hears of a new address.
    pub connection_age: Duration,
    /// How often the engine looks for work that nobody rang for.
    pub look_interval: Duration,
    /// How long a database that has just failed is left alone.
    pub pause: Duration,
    /// How often expired rows are looked for.
    pub upkeep_interval: Duration,
    /// The `user-agent` of notifications (W2).
    pub user_agent: String,
    /// Which URIs a target may have.
    pub uris: uri::Policy,
    /// A file with a certificate authority to trust besides the system's.
    pub extra_ca: Option<PathBuf>,
    /// How long the previous signing key still signs after a rotation (K1).
    pub key_overlap: Duration,
    /// How long events are kept (D9).
    pub retention: Duration,
    /// After how long a deactivated target is removed (T11).
    pub removal_after: Duration,
    /// Whether nothing is delivered, so that a copy of a database does not send again what the
    /// original sends.
    pub paused: bool,
    /// How wide the door to the API is.
    pub door: Door,
    /// How many activations may be begun in an hour, by organization and environment: they go to URIs
    /// that have not proved yet that they want to hear of us.
    pub activations: Option<u32>,
    /// The server that mails go out by; none sends no mails.
    pub smtp: Option<Smtp>,
}

/// How to reach a mail server.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// `smtp://host:port` (plain), `smtp://host:port?tls=required` (STARTTLS) or `smtps://host:port`.
    /// User and password may stand in it, so it is a secret.
    pub url: SecretString,
    /// The sender of the mails.
    pub from: String,
    /// The name by which this server greets the mail server; none: the domain of the sender.
    pub ehlo_name: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schedules: Schedules::default(),
            deadline: limits::DEADLINE,
            lease: Duration::from_secs(30),
            target_concurrency: 32,
            target_rate: None,
            concurrency: 1_024,
            connection_age: Duration::from_secs(60),
            look_interval: Duration::from_secs(1),
            pause: Duration::from_secs(1),
            upkeep_interval: Duration::from_secs(60),
            user_agent: limits::USER_AGENT.to_owned(),
            uris: uri::Policy::default(),
            extra_ca: None,
            key_overlap: limits::KEY_OVERLAP,
            retention: limits::RETENTION,
            removal_after: limits::REMOVAL_AFTER,
            paused: false,
            door: Door::default(),
            activations: Some(limits::ACTIVATIONS),
            smtp: None,
        }
    }
}
