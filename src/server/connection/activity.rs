//! What a connection is doing: whether its client or we are waited for, and since when.
//!
//! Who makes us wait too long is sent away, and when there is no more room, whoever has made us
//! wait the longest goes first. No client is disconnected while we work for it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::Version;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::quota::limits::Timeouts;

/// What one connection is doing.
#[derive(Debug)]
pub(crate) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Since when anything about the requests has not changed. Whatever else is talked about on a
    /// connection of HTTP/2 is not a reason to keep it.
    since: Instant,
    /// Since when the header of a request is on its way.
    header_since: Option<Instant>,
    /// Since when the client has taken nothing of what was written.
    stalled_since: Option<Instant>,
    /// Requests that were begun and have not ended.
    requests: usize,
    /// Those of them whose client is waited for.
    waiting: usize,
    /// Since when nothing was taken of each answer on its way.
    answers: HashMap<u64, Instant>,
    last_answer: u64,
    version: Option<Version>,
}

impl Activity {
    /// A new connection: the header of its first request is expected at once.
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            since: now,
            header_since: Some(now),
            stalled_since: None,
            requests: 0,
            waiting: 0,
            answers: HashMap::new(),
            last_answer: 0,
            version: None,
        }))
    }

    /// Something was read. Outside of a request it is the beginning of one, but for HTTP/2, where it may
    /// be about the connection itself.
    pub(crate) fn read(&self, now: Instant) {
        let mut state = self.state();
        if state.requests == 0 && state.version != Some(Version::HTTP_2) {
            state.header_since.get_or_insert(now);
        }
    }

    /// Something was written.
    pub(crate) fn wrote(&self) {
        self.state().stalled_since = None;
    }

    /// Something could not be written, because the client takes nothing.
    pub(crate) fn stalled(&self, now: Instant) {
        self.state().stalled_since.get_or_insert(now);
    }

    /// Whether the client has been waited for too long.
    pub(crate) fn is_overdue(&self, timeouts: Timeouts, now: Instant) -> bool {
        let state = self.state();
        let is_over = |since: Option<Instant>, timeout| since.is_some_and(|since| now >= since + timeout);
        let untaken_since = state.answers.values().min().copied();
        is_over(state.stalled_since, timeouts.write)
            || is_over(untaken_since, timeouts.write)
            || is_over(state.header_since, timeouts.header)
            || is_over((state.requests == 0).then_some(state.since), timeouts.idle)
    }

    /// Since when only the client is waited for; none while we work for it.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        let state = self.state();
        if state.requests > state.waiting {
            return state.stalled_since;
        }
        let untaken_since = state.answers.values().min().copied();
        Some(state.header_since.or(untaken_since).unwrap_or(state.since))
    }

    /// Whether the header of a request is on its way, and nothing else.
    pub(crate) fn is_asking(&self) -> bool {
        let state = self.state();
        state.requests == 0 && state.header_since.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

/// A request under way; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Underway(Arc<Activity>);

impl Underway {
    /// The header of a request has come.
    pub(crate) fn begin(activity: &Arc<Activity>, version: Version) -> Self {
        let mut state = activity.state();
        state.requests += 1;
        (state.since, state.header_since, state.version) = (Instant::now(), None, Some(version));
        drop(state);
        Self(Arc::clone(activity))
    }

    /// Its answer is there, and the client may take it.
    pub(crate) fn answer(self, now: Instant) -> Answering {
        let mut state = self.0.state();
        state.waiting += 1;
        state.last_answer += 1;
        let id = state.last_answer;
        state.answers.insert(id, now);
        drop(state);
        Answering { underway: self, id }
    }
}

/// A request whose answer is on its way; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Answering {
    underway: Underway,
    id: u64,
}

impl Answering {
    /// The client takes more of it.
    pub(crate) fn goes_on(&self, now: Instant) {
        self.underway.0.state().answers.insert(self.id, now);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.underway.0.state();
        state.waiting -= 1;
        state.answers.remove(&self.id);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        state.since = Instant::now();
    }
}

/// A request whose client is waited for, until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Activity>);

impl Waiting {
    /// The body of a request is wanted.
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        activity.state().waiting += 1;
        Self(Arc::clone(activity))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        header: Duration::from_secs(10),
        body: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        write: Duration::from_secs(30),
    };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_header_must_come_soon_and_the_next_may_take_its_time() {
        let start = Instant::now();
        let activity = Arc::new(Activity::new(start));
        activity.read(after(start, 5));
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 9)));
        assert!(activity.is_overdue(TIMEOUTS, after(start, 10)));
        drop(Underway::begin(&activity, Version::HTTP_11));
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 74)));
        assert!(activity.is_overdue(TIMEOUTS, after(start, 76)));
        activity.read(after(start, 60));
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 69)));
        assert!(activity.is_overdue(TIMEOUTS, after(start, 70)));
    }

    #[test]
    fn an_answer_that_the_client_does_not_read_times_out_despite_other_writes() {
        let start = Instant::now();
        let activity = Arc::new(Activity::new(start));
        let [lazy, eager] = [1, 2].map(|_| Underway::begin(&activity, Version::HTTP_2).answer(start));
        assert_eq!(activity.waiting_since(), Some(start));
        eager.goes_on(after(start, 29));
        activity.wrote();
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 29)));
        assert!(activity.is_overdue(TIMEOUTS, after(start, 30)));
        lazy.goes_on(after(start, 30));
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 31)));
        drop((lazy, eager));
        activity.wrote();
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 74)));
        assert!(activity.is_overdue(TIMEOUTS, after(start, 76)));
    }

    #[test]
    fn http_2_talks_between_requests() {
        let start = Instant::now();
        let activity = Arc::new(Activity::new(start));
        drop(Underway::begin(&activity, Version::HTTP_2));
        activity.read(after(start, 20));
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 60)));
    }

    #[test]
    fn a_client_that_waits_for_us_has_time_unless_it_reads_nothing() {
        let start = Instant::now();
        let activity = Arc::new(Activity::new(start));
        assert_eq!(activity.waiting_since(), Some(start));
        let underway = Underway::begin(&activity, Version::HTTP_11);
        assert_eq!(activity.waiting_since(), None);
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 1_000)));
        let waiting = Waiting::begin(&activity);
        assert!(activity.waiting_since().is_some());
        drop(waiting);
        assert_eq!(activity.waiting_since(), None);
        activity.stalled(after(start, 100));
        activity.stalled(after(start, 120));
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 129)));
        assert!(activity.is_overdue(TIMEOUTS, after(start, 130)));
        activity.wrote();
        assert!(!activity.is_overdue(TIMEOUTS, after(start, 131)));
        drop(underway);
    }
}
