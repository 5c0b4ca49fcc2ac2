//! How often a delivery is attempted, and how long it waits in between (D2).
//!
//! Pauses grow by a factor and are spread at random, so that a target that comes
//! back is not met by all that waited for it at once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::{Environment, Purpose, Timestamp};

use crate::rules::limits;

/// A number of attempts and the pauses between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    /// How many attempts are made in all.
    pub attempts: u32,
    /// The pause after the first failure.
    pub first: Duration,
    /// How many times longer each pause is than the one before.
    pub factor: u32,
    /// How far chance moves a pause to either side: 0.2 is ±20 %.
    pub jitter: f64,
}

impl Backoff {
    /// Events in the live environment: ten attempts in about 27 hours.
    pub const LIVE: Self = Self { attempts: 10, first: Duration::from_secs(10), factor: 3, jitter: 0.2 };

    /// Events in the test environment: four attempts in about a minute.
    pub const TEST: Self = Self { attempts: 4, first: Duration::from_secs(5), factor: 3, jitter: 0.2 };

    /// Activation notifications: three attempts within a minute (T4).
    pub const ACTIVATION: Self = Self { attempts: 3, first: Duration::from_secs(10), factor: 1, jitter: 0.0 };

    /// Ping tests: one attempt, because somebody waits for what comes of it (X2).
    pub const PING: Self = Self { attempts: 1, first: Duration::ZERO, factor: 1, jitter: 0.0 };

    /// The pause after so many failures, `None` when no attempt is left.
    ///
    /// `random` lies between 0 and 1.
    pub fn after(&self, failed: u32, random: f64) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let growth = self.factor.saturating_pow(failed.saturating_sub(1));
        Some(self.spread(self.first.saturating_mul(growth), random))
    }

    fn spread(&self, pause: Duration, random: f64) -> Duration {
        let scale = self.jitter.mul_add(2.0 * random - 1.0, 1.0).max(0.0);
        Duration::try_from_secs_f64(pause.as_secs_f64() * scale).unwrap_or(Duration::MAX)
    }
}

/// The schedules of a server, for every kind of delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedules {
    /// For events in the live environment.
    pub live: Backoff,
    /// For events in the test environment.
    pub test: Backoff,
    /// For activation notifications, in both environments.
    pub activation: Backoff,
    /// For ping tests, in both environments.
    pub ping: Backoff,
}

impl Default for Schedules {
    fn default() -> Self {
        Self {
            live: Backoff::LIVE,
            test: Backoff::TEST,
            activation: Backoff::ACTIVATION,
            ping: Backoff::PING,
        }
    }
}

impl Schedules {
    /// The schedule of the deliveries of one kind.
    pub fn of(&self, purpose: Purpose, environment: Environment) -> &Backoff {
        match (purpose, environment) {
            (Purpose::Event, Environment::Live) => &self.live,
            (Purpose::Event, Environment::Test) => &self.test,
            (Purpose::Activation, _) => &self.activation,
            (Purpose::Ping, _) => &self.ping,
        }
    }
}

/// When a receiver wants to be asked again that answered `Retry-After: text` (RFC 9110, section
/// 10.2.3): a number of seconds, or a date. At most [`limits::RETRY_AFTER`] from `now`.
///
/// It is said once. Where a receiver and its proxy both say it, their words come as a list, and the latest
/// moment that can be read is meant: it suits both.
pub fn asked_for(text: &str, now: Timestamp) -> Option<Timestamp> {
    let parts: Vec<&str> = text.split(',').collect();
    let at = moment(text, now).or_else(|| {
        let alone = parts.iter().map(|part| (*part).to_owned());
        // Two of the forms of a date have a comma after the day of the week.
        let joined = parts.windows(2).map(|parts| parts.join(","));
        alone.filter(|part| !begins_with_day(part)).chain(joined).filter_map(|part| moment(&part, now)).max()
    });
    Some(at?.min(now + limits::RETRY_AFTER))
}

fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    match seconds(text) {
        Some(seconds) => Some(now + Duration::from_secs(seconds)),
        None => date(text),
    }
}

/// Whether a part of a list may be a date without its day of the week, which is judged with it.
fn begins_with_day(part: &str) -> bool {
    seconds(part.trim()).is_none() && part.trim_start().starts_with(|first: char| first.is_ascii_digit())
}

/// A number of seconds, however many digits it has.
fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().or(is_number.then_some(u64::MAX))
}

/// A date in any of HTTP's three forms (RFC 9110, section 5.6.7), or as mails have it.
fn date(text: &str) -> Option<Timestamp> {
    match httpdate::parse_http_date(text) {
        Ok(date) => Some(DateTime::<Utc>::from(date).into()),
        Err(_) => Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc().into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIDDLE: f64 = 0.5;

    fn pauses(backoff: &Backoff) -> Vec<u64> {
        (1..).map_while(|failed| backoff.after(failed, MIDDLE)).map(|pause| pause.as_secs()).collect()
    }

    #[test]
    fn each_schedule_has_its_attempts_and_pauses() {
        assert_eq!(pauses(&Backoff::LIVE), [10, 30, 90, 270, 810, 2_430, 7_290, 21_870, 65_610]);
        assert_eq!(pauses(&Backoff::TEST), [5, 15, 45]);
        assert_eq!(pauses(&Backoff::ACTIVATION), [10, 10]);
        assert!(pauses(&Backoff::PING).is_empty());
    }

    #[test]
    fn live_deliveries_are_given_up_after_about_27_hours() {
        assert_eq!(pauses(&Backoff::LIVE).iter().sum::<u64>() / 3_600, 27);
    }

    #[test]
    fn jitter_moves_a_pause_by_a_fifth_to_either_side() {
        for (random, millis) in [(0.0, 8_000), (0.25, 9_000), (0.5, 10_000), (1.0, 12_000)] {
            let pause = Backoff::LIVE.after(1, random).unwrap();
            assert_eq!(pause.as_millis(), millis, "{random}");
        }
        assert_eq!(Backoff::ACTIVATION.after(2, 0.0), Backoff::ACTIVATION.after(2, 1.0));
    }

    #[test]
    fn purpose_and_environment_choose_the_schedule() {
        let schedules = Schedules::default();
        for (purpose, environment, backoff) in [
            (Purpose::Event, Environment::Live, Backoff::LIVE),
            (Purpose::Event, Environment::Test, Backoff::TEST),
            (Purpose::Activation, Environment::Live, Backoff::ACTIVATION),
            (Purpose::Activation, Environment::Test, Backoff::ACTIVATION),
            (Purpose::Ping, Environment::Live, Backoff::PING),
            (Purpose::Ping, Environment::Test, Backoff::PING),
        ] {
            assert_eq!(*schedules.of(purpose, environment), backoff);
        }
    }

    #[test]
    fn a_receiver_may_delay_a_retry_up_to_a_limit() {
        let now = Timestamp::from_millis(784_111_777_000);
        for (text, millis) in [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("3600", Some(3_600_000)),
            ("3601", Some(3_600_000)),
            ("18446744073709551615", Some(3_600_000)),
            ("18446744073709551616", Some(3_600_000)),
            ("99999999999999999999999999999999999999999", Some(3_600_000)),
            ("000000000000000000000000000000120", Some(120_000)),
            ("99999999999999999999x", None),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120_000)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120_000)),
            ("Sun Nov  6 08:51:37 1994", Some(120_000)),
            (" Sun Nov  6 08:51:37 1994 ", Some(120_000)),
            ("Sun, 06 Nov 1994 09:51:37 +0100", Some(120_000)),
            // What has passed already is now, whatever follows.
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(0)),
            ("Sun Nov 31 08:51:37 1994", None),
            ("Someday, 06-Nov-94 08:51:37 GMT", None),
            ("Sun, 06 Nov 2094 08:49:37 GMT", None),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3_600_000)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            // Said twice, or by a receiver and by its proxy.
            ("8, 8", Some(8_000)),
            ("8,8", Some(8_000)),
            ("8, 120", Some(120_000)),
            ("120 , 8, 9", Some(120_000)),
            ("120,", Some(120_000)),
            ("soon, 120", Some(120_000)),
            ("0, 99999", Some(3_600_000)),
            ("8, Sun, 06 Nov 1994 08:51:37 GMT", Some(120_000)),
            ("Sun, 06 Nov 1994 08:51:37 GMT, 8", Some(120_000)),
            ("Sun, 06 Nov 1994 08:50:37 GMT, Sunday, 06-Nov-94 08:51:37 GMT", Some(120_000)),
            ("Sun Nov  6 08:51:37 1994, Sun Nov  6 08:50:37 1994", Some(120_000)),
            ("8, Sun, 06 Nov 2094 08:49:37 GMT", Some(8_000)),
            ("soon, later", None),
            (",", None),
        ] {
            assert_eq!(asked_for(text, now).map(|at| at.as_millis() - now.as_millis()), millis, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_configuration_overflows(
            attempts: u32, first: u64, factor: u32, failed: u32,
            jitter in prop::num::f64::ANY, random in prop::num::f64::ANY,
        ) {
            let backoff = Backoff { attempts, first: Duration::from_secs(first), factor, jitter };
            prop_assert_eq!(backoff.after(failed, random).is_some(), failed < attempts);
        }
    }
}
