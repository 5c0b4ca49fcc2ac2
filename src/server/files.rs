//! How many files the process may have open. Each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

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

/// How many connections there may be: half of the files are left for receivers and the database.
pub fn connections(wanted: usize) -> usize {
    let (files, most) = (limit(), limit() / 2);
    if wanted > most {
        warn!(wanted, most, files, "the limit of open files allows fewer connections");
    }
    wanted.min(most)
}
