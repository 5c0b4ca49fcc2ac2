//! Intervals, limits and switches, with the contract's numbers as defaults.
//!
//! Where they come from (flags, environment) is `config`'s business.

use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::SecretString;

use crate::outbound;
use crate::quota::limits::ApiLimits;
use crate::rules::limits;
use crate::rules::retry::Schedules;

/// What the operator of the server can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How receivers are reached.
    pub outbound: outbound::Options,
    /// When failed deliveries are tried again (D2).
    pub schedules: Schedules,
    /// How long a claimed delivery is left to its claimant. Longer than the deadline, or
    /// attempts would be repeated while they run.
    pub lease: Duration,
    /// How many requests one target may have in flight.
    pub target_concurrency: usize,
    /// How many attempts a second one target may get from this process; none: as many as it takes.
    pub target_rate: Option<NonZeroU32>,
    /// How often the engine looks for work that nobody was woken for.
    pub look_interval: Duration,
    /// How long a database that has just failed is left alone.
    pub pause: Duration,
    /// How often expired rows are looked for.
    pub maintenance_interval: Duration,
    /// How long the previous signing key still signs after a rotation (K1).
    pub key_overlap: Duration,
    /// How long events are kept (D9).
    pub retention: Duration,
    /// After how long a deactivated target is removed (T11).
    pub removal_after: Duration,
    /// Whether nothing is delivered, so that a copy of a database does not send again what the
    /// original sends.
    pub paused: bool,
    /// The limits of the API.
    pub limits: ApiLimits,
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
            outbound: outbound::Options::default(),
            schedules: Schedules::default(),
            lease: Duration::from_secs(30),
            target_concurrency: 32,
            target_rate: None,
            look_interval: Duration::from_secs(1),
            pause: Duration::from_secs(1),
            maintenance_interval: Duration::from_secs(60),
            key_overlap: limits::KEY_OVERLAP,
            retention: limits::RETENTION,
            removal_after: limits::REMOVAL_AFTER,
            paused: false,
            limits: ApiLimits::default(),
            activations: Some(limits::ACTIVATIONS),
            smtp: None,
        }
    }
}
