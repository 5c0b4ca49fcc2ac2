//! Settings from outside: flags, environment variables, and files for secrets.
//!
//! A flag wins over its variable, and that over the default. Secrets have no flags,
//! because everyone on the machine can read a command line.

pub(crate) mod api;
pub(crate) mod checks;
pub(crate) mod database;
pub(crate) mod delivery;
pub(crate) mod encryption;
pub(crate) mod environment;
pub(crate) mod log;
pub(crate) mod mail;
pub(crate) mod number;
pub(crate) mod schedule;
pub(crate) mod secret;

use std::net::SocketAddr;

use crate::app::Settings;
use crate::outbound;

/// The settings of the server.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// The address and port to listen on. Put a proxy with TLS in front before others can reach it.
    #[arg(long, env = "REPRISE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = listen)]
    pub listen: SocketAddr,
    /// Where data is kept.
    #[command(flatten)]
    pub database: database::Options,
    /// How secrets are encrypted.
    #[command(flatten)]
    pub encryption: encryption::Options,
    /// What is logged.
    #[command(flatten)]
    pub log: log::Options,
    /// How notifications are delivered.
    #[command(flatten)]
    pub delivery: delivery::Options,
    /// What callers of the API may ask for.
    #[command(flatten)]
    pub api: api::Options,
    /// How mails are sent.
    #[command(flatten)]
    pub mail: mail::Options,
}

/// An address and a port. No name is looked up but that of this machine itself.
fn listen(text: &str) -> Result<SocketAddr, String> {
    let remedy = "give an address and a port: 127.0.0.1:8080 for this machine only, 0.0.0.0:8080 for all";
    let on_this_machine = || text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let read = text.parse().ok().or_else(|| on_this_machine()?.parse().ok());
    read.ok_or_else(|| remedy.to_owned())
}

impl Options {
    /// What the process shares.
    ///
    /// # Errors
    /// When a file cannot be read, or settings do not go together.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let settings = self.delivery.apply(Settings {
            limits: self.api.limits(),
            activations: self.api.activations(),
            outbound: outbound::Options {
                extra_ca: self.database.extra_ca.clone(),
                ..outbound::Options::default()
            },
            smtp: self.mail.smtp()?,
            ..Settings::default()
        });
        checks::check(&settings)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::config::schedule::Changes;
    use crate::rules::retry::{Backoff, Schedules};

    /// The flags, without the variables that may be set where the tests run.
    fn flags() -> Command {
        let command = Options::augment_args(Command::new("reprise").no_binary_name(true));
        command.mut_args(|arg| arg.env(None::<&str>))
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_settings() {
        let none = flags().try_get_matches_from([""; 0]).unwrap();
        let settings = Options::from_arg_matches(&none).unwrap().settings().unwrap();
        assert_eq!(format!("{settings:#?}"), format!("{:#?}", Settings::default()));
    }

    #[test]
    fn the_help_tells_the_default_schedules() {
        let other = Backoff { attempts: 99, first: Duration::ZERO, factor: 99, jitter: 0.99 };
        let Schedules { live, test, activation, .. } = Schedules::default();
        for (flag, expected) in
            [("live-retries", live), ("test-retries", test), ("activation-retries", activation)]
        {
            let flags = flags();
            let arg = flags.get_arguments().find(|arg| arg.get_long() == Some(flag)).unwrap();
            let help = arg.get_help().unwrap().to_string();
            let told = help.split_once("[default: ").unwrap().1.trim_end_matches(']');
            assert_eq!(told.parse::<Changes>().unwrap().apply(&other), expected, "{help}");
        }
    }

    #[test]
    fn an_address_has_a_port_and_may_be_that_of_this_machine() {
        for (given, expected) in [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("[::1]:0", Some("[::1]:0")),
            ("localhost:8080", Some("127.0.0.1:8080")),
            ("localhost", None),
            ("localhost:", None),
            ("localhost:http", None),
            (":8080", None),
            ("8080", None),
            ("company.com:8080", None),
            ("", None),
        ] {
            let read = listen(given);
            assert_eq!(read.clone().ok(), expected.map(|address| address.parse().unwrap()), "{given}");
            assert!(read.is_ok() || read.unwrap_err().contains("0.0.0.0:8080"), "{given}");
        }
    }
}
