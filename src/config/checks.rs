//! Which settings go together.
//!
//! A setting that would make the server misbehave is refused at the start, with
//! its name and with what would be right.

use std::time::Duration;

use anyhow::ensure;
use humantime::format_duration;

use crate::app::Settings;
use crate::rules::retry::Backoff;

const MAX_ATTEMPTS: u32 = 1_000;

/// Half of it is what the largest request takes, and a little.
const LEAST_MEMORY: usize = 96 * 1_024 * 1_024;

/// Refuses settings that cannot work.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<()> {
    check_intervals(settings)?;
    check_numbers(settings)?;
    check_schedule("--live-retries", &settings.schedules.live, settings.retention)?;
    check_schedule("--test-retries", &settings.schedules.test, settings.retention)?;
    check_schedule("--activation-retries", &settings.schedules.activation, settings.retention)
}

fn check_intervals(settings: &Settings) -> anyhow::Result<()> {
    for (name, interval) in [
        ("--deadline", settings.outbound.deadline),
        ("--look-interval", settings.look_interval),
        ("--maintenance-interval", settings.maintenance_interval),
        ("--retention", settings.retention),
        ("--removal-after", settings.removal_after),
        ("--database-pause", settings.pause),
        ("--header-timeout", settings.limits.timeouts.header),
        ("--body-timeout", settings.limits.timeouts.body),
        ("--idle-timeout", settings.limits.timeouts.idle),
        ("--write-timeout", settings.limits.timeouts.write),
    ] {
        ensure!(!interval.is_zero(), "{name} is 0: give a duration such as 10s");
    }
    let (lease, deadline) = (settings.lease, settings.outbound.deadline);
    ensure!(
        lease > deadline,
        "--lease is {}, --deadline is {}: the lease must be longer, or attempts are repeated while they run",
        format_duration(lease),
        format_duration(deadline),
    );
    Ok(())
}

fn check_numbers(settings: &Settings) -> anyhow::Result<()> {
    let (all, one) = (settings.outbound.concurrency, settings.target_concurrency);
    ensure!(one >= 1, "--target-concurrency is 0: give 1 or more");
    ensure!(settings.limits.connections >= 1, "--connections is 0: give 1 or more");
    ensure!(
        settings.limits.memory >= LEAST_MEMORY,
        "--request-memory is less than {}: long requests would never find room",
        LEAST_MEMORY >> 20,
    );
    ensure!(
        all >= one,
        "--concurrency is {all}, --target-concurrency is {one}: the first must not be smaller"
    );
    let agent = &settings.outbound.user_agent;
    ensure!(is_agent(agent), "--user-agent is {agent:?}: give visible ASCII characters, such as Company/1.0");
    Ok(())
}

/// What every receiver can read. Blanks at the ends do not arrive.
fn is_agent(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn check_schedule(name: &str, schedule: &Backoff, retention: Duration) -> anyhow::Result<()> {
    let attempts = schedule.attempts;
    ensure!(
        (1..=MAX_ATTEMPTS).contains(&attempts),
        "{name} has {attempts} attempts: give 1 to {MAX_ATTEMPTS}"
    );
    let longest = longest(schedule, retention);
    ensure!(
        longest <= retention,
        "{name} may take longer than events are kept, --retention is {}: fewer attempts or shorter pauses",
        format_duration(retention),
    );
    Ok(())
}

/// How long the pauses of a schedule may be together; counting ends beyond `enough`.
fn longest(schedule: &Backoff, enough: Duration) -> Duration {
    let mut sum = Duration::ZERO;
    for failed in 1..schedule.attempts {
        sum = sum.saturating_add(schedule.after(failed, 1.0).unwrap_or_default());
        if sum > enough {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_go_together() {
        assert!(check(&Settings::default()).is_ok());
    }

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        let refused = |name: &str, change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            let error = check(&settings).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        };
        refused("--lease", |settings| settings.lease = settings.outbound.deadline);
        refused("--deadline", |settings| settings.outbound.deadline = Duration::ZERO);
        refused("--look-interval", |settings| settings.look_interval = Duration::ZERO);
        refused("--maintenance-interval", |settings| settings.maintenance_interval = Duration::ZERO);
        refused("--target-concurrency", |settings| settings.target_concurrency = 0);
        refused("--concurrency", |settings| settings.outbound.concurrency = 31);
        refused("--user-agent", |settings| settings.outbound.user_agent = "a\nb".to_owned());
        for agent in ["", " ", " a", "ü", "a\tb"] {
            assert!(!is_agent(agent), "{agent:?}");
        }
        refused("--request-memory", |settings| settings.limits.memory = 95 << 20);
        refused("--live-retries", |settings| settings.schedules.live.attempts = 20);
        refused("--live-retries", |settings| settings.retention = Duration::from_hours(24));
        refused("--test-retries", |settings| settings.schedules.test.first = Duration::MAX);
        refused("--activation-retries", |settings| settings.schedules.activation.attempts = u32::MAX);
    }
}
