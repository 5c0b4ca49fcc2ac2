//! The fixed numbers of the contract, each with its rule.
//!
//! They act in the code that imports them, so a number here is a number that holds.

use std::time::Duration;

/// The largest payload of an event, in bytes of JSON, so that a page of events stays bounded; ours.
pub const PAYLOAD_BYTES: usize = 256 * 1_024;

/// How many targets of one organization and environment may be active or pending (T7).
pub const TARGETS: u64 = 50;

/// How many targets of one organization and environment there may be, deactivated ones too; ours. Each
/// of them may cost a row for each event.
pub const TARGETS_IN_ALL: u64 = 500;

/// How many activations of one organization and environment may be begun in an hour unless configured
/// otherwise; ours.
pub const ACTIVATIONS: u32 = 200;

/// How many signing keys of one target may be unexpired (K2).
pub const SIGNING_KEYS: u64 = 5;

/// How long a signing key still signs after its rotation (K1).
pub const KEY_OVERLAP: Duration = Duration::from_hours(24);

/// How long a target may stay deactivated before it is removed (T11).
pub const REMOVAL_AFTER: Duration = Duration::from_hours(30 * 24);

/// How long an event is kept (D9).
pub const RETENTION: Duration = Duration::from_hours(30 * 24);

/// How many events one call may publish (X1).
pub const EVENTS_PER_CALL: usize = 1_000;

/// How many bytes of a receiver's answer are read; more than that is dropped.
pub const ANSWER_BYTES: usize = 64 * 1_024;

/// How many bytes the headers of a receiver's answer may have.
pub const ANSWER_HEADER_BYTES: u32 = 64 * 1_024;

/// How many headers, or trailers, a receiver's answer over HTTP/1.1 may have.
pub const ANSWER_HEADERS: usize = 500;

/// How many characters of a receiver's answer are kept with the attempt (X3).
pub const EXCERPT_CHARS: usize = 1_024;

/// How long an attempt may take, from the name lookup to the last byte of the answer (W6).
pub const DEADLINE: Duration = Duration::from_secs(10);

/// How far a receiver can put a retry off by `Retry-After`; ours.
pub const RETRY_AFTER: Duration = Duration::from_hours(1);

/// What notifications call their sender unless configured otherwise (W2).
pub const USER_AGENT: &str = "HighnotePlatform/1.0.0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_those_of_the_contract() {
        assert_eq!(KEY_OVERLAP.as_secs(), 86_400);
        assert_eq!(REMOVAL_AFTER.as_secs(), 2_592_000);
        assert_eq!(RETENTION.as_secs(), 2_592_000);
    }
}
