//! The time that removal goes by: what has expired by it is removed.
//!
//! It follows the time of the database, but no faster than a clock could be wrong without anybody
//! noticing: a clock that is far ahead for a while, also at a start, removes nearly nothing.

use std::time::Duration;

use entity::Timestamp;

/// How many times faster than time passes it may come on: a day in an hour. A server that was down
/// for a month has caught up after a day and a quarter.
const PACE: u32 = 24;

/// How far it comes that was at `last`, when so much has passed since, and it is `now`.
pub(crate) fn reach(last: Timestamp, passed: Duration, now: Timestamp) -> Timestamp {
    (last + passed.saturating_mul(PACE)).min(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_a_jump_slowly() {
        let (day, minute, second) =
            (Duration::from_hours(24), Duration::from_mins(1), Duration::from_secs(1));
        let start = Timestamp::from_millis(1_790_000_000_000);
        for (passed, now, expected) in [
            (minute, start + minute, start + minute),
            (Duration::ZERO, start, start),
            (second * 4, start + day * 40, start + second * 96),
            (Duration::from_hours(1), start + day * 40, start + day),
            (day * 40, start + day * 40, start + day * 40),
            (minute, start - minute, start - minute),
            (Duration::MAX, start + day, start + day),
        ] {
            assert_eq!(reach(start, passed, now), expected, "{passed:?}, {now}");
        }
    }
}
