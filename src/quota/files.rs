//! How many files the process may have open, and who gets how many of them: each connection is one.
//!
//! The one calculation of it. What comes in, what goes out and the lookup of names have parts of
//! their own, so that however much is to be delivered, the API has room to answer, and the other way round.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What is left to the database, to mails, to logs, and to what comes up.
const RESERVE: usize = 96;

/// How many names may be looked up at the same time at most: half of the threads that the runtime has for
/// what blocks. Each may take two files.
const LOOKUPS: usize = 256;
const FILES_PER_LOOKUP: usize = 2;

/// Asks for as many as the system lets the process have.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, "the limit of open files could not be raised");
    }
}

/// How many there may be.
pub fn limit() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files).unwrap_or(usize::MAX)
}

/// Who gets how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Files {
    /// How many connections clients of the API may have open.
    pub inbound: usize,
    /// How many requests to receivers may be in flight; each may need a connection.
    pub in_flight: usize,
    /// How many connections to receivers are kept for the next request besides.
    pub kept: usize,
    /// How many names may be looked up at the same time.
    pub lookups: usize,
}

impl Files {
    /// Divides what this process may open among what is wanted.
    pub fn divide(connections: usize, concurrency: usize) -> Self {
        let (files, limit) = (Self::of(limit(), connections, concurrency), limit());
        if files.inbound < connections {
            let (wanted, most) = (connections, files.inbound);
            warn!(wanted, most, files = limit, "the limit of open files allows fewer connections");
        }
        if files.in_flight < concurrency {
            let (wanted, most) = (concurrency, files.in_flight);
            warn!(wanted, most, files = limit, "the limit of open files allows fewer requests to receivers");
        }
        files
    }

    /// Half of what is not reserved is for the API at most. Of the rest, three quarters are for requests
    /// in flight at most; what they do not need, and the last quarter, is for connections that are kept.
    fn of(limit: usize, connections: usize, concurrency: usize) -> Self {
        let free = limit - RESERVE.min(limit / 2);
        let inbound = connections.min(free / 2).max(1);
        let outbound = free - inbound.min(free);
        let lookups = (outbound / 16).clamp(1, LOOKUPS);
        let outbound = outbound.saturating_sub(lookups * FILES_PER_LOOKUP);
        let in_flight = concurrency.min(outbound / 4 * 3).max(1);
        let kept = outbound.saturating_sub(in_flight).max(1);
        Self { inbound, in_flight, kept, lookups }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lookup_gets_its_own_answer_only() {
        for (limit, [inbound, in_flight, kept, lookups]) in [
            (1_048_576, [4_096, 1_024, 1_042_848, 256]),
            (8_192, [4_048, 1_024, 2_518, 253]),
            (4_096, [2_000, 1_024, 726, 125]),
            (1_024, [464, 303, 103, 29]),
            (512, [208, 135, 47, 13]),
            (256, [80, 51, 19, 5]),
            (16, [4, 1, 1, 1]),
        ] {
            let files = Files::of(limit, 4_096, 1_024);
            assert_eq!(files, Files { inbound, in_flight, kept, lookups }, "{limit}");
            let used = inbound + in_flight + kept + lookups * FILES_PER_LOOKUP;
            assert!(used <= limit - RESERVE.min(limit / 2), "{limit}");
        }
    }

    #[test]
    fn no_limit_and_no_wish_overflows() {
        for number in [0, 1, usize::MAX] {
            for wish in [0, 1, usize::MAX] {
                let files = Files::of(number, wish, wish);
                assert!(files.inbound > 0 && files.in_flight > 0 && files.kept > 0, "{number} {wish}");
            }
        }
    }
}
