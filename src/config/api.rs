//! What callers of the API may ask for, and how long they are waited for.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::number::{duration, number};
use crate::quota::limits::{ApiLimits, FailedLogins, Rate, Timeouts, Waits};

const MEBIBYTE: usize = 1_024 * 1_024;

/// The limits of the API.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "API")]
pub(crate) struct Options {
    /// What one organization may ask for in LIVE in ten seconds, as REQUESTS/POINTS; in TEST it is half as
    /// much. `off` for no limit.
    #[arg(long, env = "REPRISE_RATE_LIMIT", value_name = "RATE", default_value = "200/5000")]
    rate_limit: Switch<Rate>,
    /// What one organization may publish in ten seconds, as REQUESTS/POINTS; an event costs a point.
    /// `off` for no limit.
    #[arg(long, env = "REPRISE_PUBLISHING_RATE_LIMIT", value_name = "RATE", default_value = "20000/1000000")]
    publishing_rate_limit: Switch<Rate>,
    /// How many logins may fail in a minute, as FROM ONE ADDRESS/IN ALL. `off` for no limit.
    #[arg(long, env = "REPRISE_FAILED_LOGINS", value_name = "NUMBERS", default_value = "60/6000")]
    failed_logins: Switch<FailedLogins>,
    /// How many activations of targets may be begun in an hour, by organization and environment: they go to
    /// URIs that nobody has answered for yet. `off` for no limit.
    #[arg(long, env = "REPRISE_ACTIVATIONS", value_name = "NUMBER", default_value = "200", value_parser = activations)]
    activations: Switch<NonZeroU32>,
    /// The networks or addresses of your own proxies. What they say in `x-forwarded-for` is believed, so that failed
    /// logins are counted by the clients' addresses.
    #[arg(
        long,
        env = "REPRISE_TRUSTED_PROXIES",
        value_name = "NETWORKS",
        default_value = "127.0.0.0/8,::1/128",
        value_parser = network,
        value_delimiter = ','
    )]
    trusted_proxies: Vec<IpNet>,
    /// How many connections may be open; half of the files that the process may open if that is less.
    #[arg(long, env = "REPRISE_CONNECTIONS", value_name = "NUMBER", default_value_t = 4_096, value_parser = number::<usize>)]
    connections: usize,
    /// How many mebibytes of memory requests and their answers may take together; one organization half
    /// of it.
    #[arg(long, env = "REPRISE_REQUEST_MEMORY", value_name = "NUMBER", default_value_t = 256, value_parser = number::<usize>)]
    request_memory: usize,
    /// How long the header of a request may take.
    #[arg(long, env = "REPRISE_HEADER_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    header_timeout: Duration,
    /// How long the body of a request may take.
    #[arg(long, env = "REPRISE_BODY_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    body_timeout: Duration,
    /// How long an open connection may wait for its next request.
    #[arg(long, env = "REPRISE_IDLE_TIMEOUT", value_name = "DURATION", default_value = "75s", value_parser = duration)]
    idle_timeout: Duration,
    /// How long a client may take nothing of its answer.
    #[arg(long, env = "REPRISE_WRITE_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    write_timeout: Duration,
}

impl Options {
    /// The limits with these options.
    pub(crate) fn limits(&self) -> ApiLimits {
        ApiLimits {
            connections: self.connections,
            memory: self.request_memory.saturating_mul(MEBIBYTE),
            timeouts: Timeouts {
                header: self.header_timeout,
                body: self.body_timeout,
                idle: self.idle_timeout,
                write: self.write_timeout,
            },
            waits: Waits::default(),
            api: self.rate_limit.0,
            publishing: self.publishing_rate_limit.0,
            failed_logins: self.failed_logins.0,
            proxies: self.trusted_proxies.clone(),
        }
    }

    /// How many activations may be begun in an hour.
    pub(crate) fn activations(&self) -> Option<u32> {
        self.activations.0.map(NonZeroU32::get)
    }
}

/// A network, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse().or_else(|_| address());
    network.map_err(|_| "give a network such as 10.0.0.0/24, or an address such as 10.0.0.1".to_owned())
}

/// How many activations may be begun, or `off`.
fn activations(text: &str) -> Result<Switch<NonZeroU32>, String> {
    if is_off(text) {
        return Ok(Switch(None));
    }
    number(text).map(|limit| Switch(Some(limit))).map_err(|remedy| format!("{remedy}, or `off`"))
}

fn is_off(text: &str) -> bool {
    text.eq_ignore_ascii_case("off")
}

/// A limit, or `off`.
#[derive(Debug, Clone, Copy)]
struct Switch<T>(Option<T>);

impl<T: FromStr> FromStr for Switch<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if is_off(text) { Ok(Self(None)) } else { text.parse().map(|limit| Self(Some(limit))) }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn parse(args: &[&str]) -> Result<Options, clap::Error> {
        let command = Options::augment_args(Command::new("reprise").no_binary_name(true));
        Options::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    #[test]
    fn every_limit_can_be_switched_off() {
        let limits = ["--rate-limit=off", "--publishing-rate-limit=off", "--failed-logins=off"];
        let options = parse(&[&limits[..], &["--activations=off"]].concat()).unwrap();
        let limits = options.limits();
        assert_eq!((limits.api, limits.publishing, limits.failed_logins), (None, None, None));
        assert_eq!(options.activations(), None);
        assert!(parse(&["--activations=0"]).is_err());
        assert!(parse(&["--rate-limit=0/0"]).is_err());
        assert!(parse(&["--rate-limit=200"]).is_err());
    }

    #[test]
    fn errors_say_what_would_be_right() {
        for (arg, remedy) in [
            ("--rate-limit=200", "200/5000"),
            ("--publishing-rate-limit=200", "200/5000"),
            ("--failed-logins=60", "60/6000"),
            ("--failed-logins=0/6000", "60/6000"),
            ("--activations=many", "or `off`"),
            ("--activations=0", "or `off`"),
            ("--connections=", "such as 64"),
            ("--body-timeout=10", "such as 250ms"),
            ("--trusted-proxies=proxy", "10.0.0.0/24"),
            ("--trusted-proxies=10.0.0.0/33", "10.0.0.0/24"),
        ] {
            let refused = parse(&[arg]).unwrap_err().to_string();
            assert!(
                refused.contains(arg.split_once('=').unwrap().0) && refused.contains(remedy),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        let proxies = |text: &str| parse(&["--trusted-proxies", text]).unwrap().limits().proxies;
        let read = |text: &str| text.parse::<IpNet>().unwrap();
        for (given, expected) in [
            ("10.0.0.1", &["10.0.0.1/32"][..]),
            ("2001:db8::1", &["2001:db8::1/128"]),
            ("10.0.0.0/24, 192.0.2.7", &["10.0.0.0/24", "192.0.2.7/32"]),
        ] {
            assert_eq!(proxies(given), expected.iter().map(|text| read(text)).collect::<Vec<_>>(), "{given}");
        }
    }
}
