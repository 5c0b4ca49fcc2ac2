//! Schedules of retries as text: `attempts=10,first=10s,factor=3,jitter=0.2`.
//!
//! What is left out keeps its default, so `attempts=5` is a whole value.

use std::str::FromStr;
use std::time::Duration;

use crate::config::number;
use crate::rules::retry::Backoff;

const FORM: &str = "write attempts=N,first=DURATION,factor=N,jitter=FRACTION, or some of them";

/// What is to be different from a default schedule.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Changes {
    attempts: Option<u32>,
    first: Option<Duration>,
    factor: Option<u32>,
    jitter: Option<f64>,
}

impl Changes {
    /// The schedule with these changes.
    pub(crate) fn apply(&self, schedule: &Backoff) -> Backoff {
        Backoff {
            attempts: self.attempts.unwrap_or(schedule.attempts),
            first: self.first.unwrap_or(schedule.first),
            factor: self.factor.unwrap_or(schedule.factor),
            jitter: self.jitter.unwrap_or(schedule.jitter),
        }
    }
}

impl FromStr for Changes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut changes = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?} has no `=`: {FORM}"))?;
            changes.set(name.trim(), value.trim())?;
        }
        Ok(changes)
    }
}

impl Changes {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "attempts" => self.attempts = Some(at_least_one(name, value)?),
            "factor" => self.factor = Some(at_least_one(name, value)?),
            "first" => self.first = Some(duration(value)?),
            "jitter" => self.jitter = Some(fraction(name, value)?),
            _ => return Err(format!("{name:?} is no part of a schedule: {FORM}")),
        }
        Ok(())
    }
}

fn at_least_one(name: &str, value: &str) -> Result<u32, String> {
    value
        .parse()
        .ok()
        .filter(|number| *number >= 1)
        .ok_or_else(|| format!("{name} is {value:?}: give 1 or more"))
}

fn duration(value: &str) -> Result<Duration, String> {
    number::duration(value).map_err(|error| format!("first is {value:?}: {error}"))
}

fn fraction(name: &str, value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| format!("{name} is {value:?}: give a number from 0 to 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omitted_values_keep_their_defaults() {
        let test = Backoff::TEST;
        for (text, expected) in [
            ("attempts=10,first=10s,factor=3,jitter=0.2", Backoff::LIVE),
            ("attempts=3, first=10s, factor=1, jitter=0", Backoff::ACTIVATION),
            ("attempts=1", Backoff { attempts: 1, ..test.clone() }),
            ("first=250ms", Backoff { first: Duration::from_millis(250), ..test.clone() }),
            ("first=1h 30m", Backoff { first: Duration::from_mins(90), ..test.clone() }),
            ("jitter=1", Backoff { jitter: 1.0, ..test.clone() }),
        ] {
            assert_eq!(text.parse::<Changes>().unwrap().apply(&test), expected, "{text}");
        }
    }

    #[test]
    fn impossible_values_are_refused() {
        for text in [
            "",
            "10",
            "attempts",
            "attempts=",
            "attempts=0",
            "attempts=-1",
            "attempts=1.5",
            "first=10",
            "first=s",
            "factor=0",
            "jitter=1.1",
            "jitter=-0.1",
            "jitter=NaN",
            "last=1s",
            "attempts=1,",
            "attempts=1;first=1s",
        ] {
            assert!(text.parse::<Changes>().is_err(), "{text:?}");
        }
    }
}
