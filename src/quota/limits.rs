//! The limits of the API: connections, their times, and what callers may ask for.
//!
//! All of it is counted per process. Replicas do not tell each other, so behind several of them a
//! caller may have as many times as much.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use entity::Environment;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::rules::quota::Quota;

/// How long a window of the rate limits is (G12).
pub const WINDOW: Duration = Duration::from_secs(10);

/// How long failed logins count.
pub const LOGIN_WINDOW: Duration = Duration::from_secs(60);

/// What the operator of the server can choose about it.
#[derive(Debug, Clone)]
pub struct ApiLimits {
    /// How many connections may be open.
    pub connections: usize,
    /// How long what a client sends and takes may take.
    pub timeouts: Timeouts,
    /// How long the database may keep a caller waiting.
    pub waits: Waits,
    /// How many bytes requests and their answers may take in memory; one organization half of it.
    pub memory: usize,
    /// What one organization may ask for in LIVE in ten seconds (G12); in TEST it is half as much.
    pub api: Option<Rate>,
    /// What one organization may publish in ten seconds, in either environment.
    pub publishing: Option<Rate>,
    /// How many logins may fail in a minute.
    pub failed_logins: Option<FailedLogins>,
    /// Whose word is taken for where a request comes from: `x-forwarded-for`.
    pub proxies: Vec<IpNet>,
}

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the header of a request, from its first byte or from the start of the connection.
    pub header: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// For the next request on an open connection.
    pub idle: Duration,
    /// For the client to take any of an answer.
    pub write: Duration,
}

/// How long a caller waits for our own database. What is beyond that is refused, or not known.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// A request in all, but for publishing.
    pub request: Duration,
    /// Events until the writer takes them; they are refused after that.
    pub taking: Duration,
    /// Events from then on until they are recorded.
    pub recording: Duration,
}

/// Requests and points in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many requests.
    pub requests: u32,
    /// How many points: those of G12.
    pub points: u32,
}

/// Logins that may fail in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedLogins {
    /// From one address; an IPv6 network of 64 bits counts as one.
    pub per_address: u32,
    /// In all.
    pub in_all: u32,
}

impl Default for Waits {
    fn default() -> Self {
        let [request, taking, recording] = [4, 3, 12].map(Duration::from_secs);
        Self { request, taking, recording }
    }
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            timeouts: Timeouts {
                header: Duration::from_secs(10),
                body: Duration::from_secs(10),
                idle: Duration::from_secs(75),
                write: Duration::from_secs(30),
            },
            waits: Waits::default(),
            memory: 256 * 1_024 * 1_024,
            api: Some(Rate { requests: 200, points: 5_000 }),
            publishing: Some(Rate { requests: 20_000, points: 1_000_000 }),
            failed_logins: Some(FailedLogins { per_address: 60, in_all: 6_000 }),
            proxies: vec![v4_loopback(), v6_loopback()],
        }
    }
}

fn v4_loopback() -> IpNet {
    Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8).trunc().into()
}

fn v6_loopback() -> IpNet {
    Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into()
}

impl Rate {
    /// The rate of the API in an environment: TEST has half of it (G12).
    #[must_use]
    pub fn of(self, environment: Environment) -> Self {
        match environment {
            Environment::Live => self,
            Environment::Test => {
                Self { requests: self.requests.div_ceil(2), points: self.points.div_ceil(2) }
            }
        }
    }

    /// The quota of requests.
    pub fn count(self) -> Quota {
        Quota { limit: self.requests, per: WINDOW }
    }

    /// The quota of points.
    pub fn complexity(self) -> Quota {
        Quota { limit: self.points, per: WINDOW }
    }
}

impl FailedLogins {
    /// The quota of one address.
    pub fn of_one(self) -> Quota {
        Quota { limit: self.per_address, per: LOGIN_WINDOW }
    }

    /// The quota of all addresses together.
    pub fn of_all(self) -> Quota {
        Quota { limit: self.in_all, per: LOGIN_WINDOW }
    }
}

/// Two numbers with a slash, such as the example.
fn pair(text: &str, example: &'static str) -> Result<(u32, u32), NoPair> {
    let number = |text: &str| text.parse().ok().filter(|&number| number > 0);
    let pair = text.split_once('/').and_then(|(left, right)| Some((number(left)?, number(right)?)));
    pair.ok_or(NoPair { example })
}

/// What is no pair of numbers.
#[derive(Debug, thiserror::Error)]
#[error("give two numbers above 0 such as {example}, or `off`")]
pub struct NoPair {
    example: &'static str,
}

impl FromStr for Rate {
    type Err = NoPair;

    fn from_str(text: &str) -> Result<Self, NoPair> {
        pair(text, "200/5000").map(|(requests, points)| Self { requests, points })
    }
}

impl FromStr for FailedLogins {
    type Err = NoPair;

    fn from_str(text: &str) -> Result<Self, NoPair> {
        pair(text, "60/6000").map(|(per_address, in_all)| Self { per_address, in_all })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_two_numbers() {
        let read = |text: &str| text.parse::<Rate>().ok().map(|rate| (rate.requests, rate.points));
        for (text, rate) in [
            ("200/5000", Some((200, 5_000))),
            ("1/1", Some((1, 1))),
            ("0/1", None),
            ("1/0", None),
            ("1", None),
            ("1/2/3", None),
            ("-1/2", None),
            ("5000000000/1", None),
            ("", None),
        ] {
            assert_eq!(read(text), rate, "{text}");
        }
    }

    #[test]
    fn the_test_environment_has_half_the_rate() {
        let rate = Rate { requests: 200, points: 5_000 };
        assert_eq!(rate.of(Environment::Live), rate);
        assert_eq!(rate.of(Environment::Test), Rate { requests: 100, points: 2_500 });
        let least = Rate { requests: 1, points: 1 };
        assert_eq!(least.of(Environment::Test), least);
    }
}
