//! How notifications are delivered. The defaults are the contract's.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::app::Settings;
use crate::config::environment::switch;
use crate::config::number::{duration, number};
use crate::config::schedule::Changes;
use crate::outbound;
use crate::rules::retry::Schedules;
use crate::rules::uri;

/// Delivery.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct Options {
    /// Retries of events in LIVE: the number of attempts in all, the first pause, the factor by
    /// which each pause is longer than the one before, and by which fraction chance moves a pause.
    /// Parts that are left out keep their default. [default: attempts=10,first=10s,factor=3,jitter=0.2]
    #[arg(long, env = "REPRISE_LIVE_RETRIES", value_name = "SCHEDULE")]
    live_retries: Option<Changes>,
    /// Retries of events in TEST. [default: attempts=4,first=5s,factor=3,jitter=0.2]
    #[arg(long, env = "REPRISE_TEST_RETRIES", value_name = "SCHEDULE")]
    test_retries: Option<Changes>,
    /// Retries of activation notifications. [default: attempts=3,first=10s,factor=1,jitter=0]
    #[arg(long, env = "REPRISE_ACTIVATION_RETRIES", value_name = "SCHEDULE")]
    activation_retries: Option<Changes>,
    /// Starts without delivering, mailing or removing anything: for a restored copy of a database.
    #[arg(long, env = "REPRISE_PAUSED", value_parser = switch())]
    paused: bool,
    /// How long an attempt may take in all.
    #[arg(long, env = "REPRISE_DEADLINE", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    deadline: Duration,
    /// How long a claimed delivery is left to its worker before another takes it; longer than the deadline.
    #[arg(long, env = "REPRISE_LEASE", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    lease: Duration,
    /// How many requests may be in flight in all.
    #[arg(long, env = "REPRISE_CONCURRENCY", value_name = "NUMBER", default_value_t = 1_024, value_parser = number::<usize>)]
    concurrency: usize,
    /// How many requests to one target may be in flight.
    #[arg(long, env = "REPRISE_TARGET_CONCURRENCY", value_name = "NUMBER", default_value_t = 32, value_parser = number::<usize>)]
    target_concurrency: usize,
    /// How many attempts a second one target may get from each server, retries included. Without it, as many
    /// as the target takes.
    #[arg(long, env = "REPRISE_TARGET_RATE", value_name = "NUMBER", value_parser = number::<NonZeroU32>)]
    target_rate: Option<NonZeroU32>,
    /// How old connections to receivers may become. A new address of a name counts after that.
    #[arg(long, env = "REPRISE_CONNECTION_AGE", value_name = "DURATION", default_value = "1m", value_parser = duration)]
    connection_age: Duration,
    /// How often due deliveries are looked for, besides being told of.
    #[arg(long, env = "REPRISE_LOOK_INTERVAL", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    look_interval: Duration,
    /// How long a database that has just failed is left alone.
    #[arg(long, env = "REPRISE_DATABASE_PAUSE", value_name = "DURATION", default_value = "1s", value_parser = duration)]
    database_pause: Duration,
    /// How often expired events, keys and targets are removed.
    #[arg(long, env = "REPRISE_MAINTENANCE_INTERVAL", value_name = "DURATION", default_value = "1m", value_parser = duration)]
    maintenance_interval: Duration,
    /// How long events are kept.
    #[arg(long, env = "REPRISE_RETENTION", value_name = "DURATION", default_value = "30d", value_parser = duration)]
    retention: Duration,
    /// After how long a deactivated target is removed.
    #[arg(long, env = "REPRISE_REMOVAL_AFTER", value_name = "DURATION", default_value = "30d", value_parser = duration)]
    removal_after: Duration,
    /// How long the previous signing key still signs after a rotation.
    #[arg(long, env = "REPRISE_KEY_OVERLAP", value_name = "DURATION", default_value = "24h", value_parser = duration)]
    key_overlap: Duration,
    /// The `user-agent` of notifications.
    #[arg(long, env = "REPRISE_USER_AGENT", value_name = "TEXT", default_value = crate::rules::limits::USER_AGENT)]
    user_agent: String,
    /// Lets targets have http URIs. For work on your own machine.
    #[arg(long, env = "REPRISE_ALLOW_HTTP_TARGETS", value_parser = switch())]
    allow_http_targets: bool,
    /// Lets targets be in private networks. For work on your own machine: customers could reach what
    /// only this server can reach.
    #[arg(long, env = "REPRISE_ALLOW_PRIVATE_TARGETS", value_parser = switch())]
    allow_private_targets: bool,
}

impl Options {
    /// The settings with these options.
    pub(crate) fn apply(&self, settings: Settings) -> Settings {
        Settings {
            outbound: outbound::Options {
                deadline: self.deadline,
                concurrency: self.concurrency,
                connection_age: self.connection_age,
                user_agent: self.user_agent.clone(),
                uris: uri::Policy { http: self.allow_http_targets, private: self.allow_private_targets },
                ..settings.outbound
            },
            schedules: self.schedules(settings.schedules),
            lease: self.lease,
            target_concurrency: self.target_concurrency,
            target_rate: self.target_rate,
            look_interval: self.look_interval,
            pause: self.database_pause,
            maintenance_interval: self.maintenance_interval,
            key_overlap: self.key_overlap,
            retention: self.retention,
            removal_after: self.removal_after,
            paused: self.paused,
            ..settings
        }
    }

    fn schedules(&self, defaults: Schedules) -> Schedules {
        let changed = |changes: &Option<Changes>, schedule| {
            changes.as_ref().map_or_else(|| Clone::clone(schedule), |changes| changes.apply(schedule))
        };
        Schedules {
            live: changed(&self.live_retries, &defaults.live),
            test: changed(&self.test_retries, &defaults.test),
            activation: changed(&self.activation_retries, &defaults.activation),
            ping: defaults.ping,
        }
    }
}
