//! Looks up names, and sees to it that names whose servers never answer keep no others waiting.
//!
//! A lookup holds a thread of the system's resolver until that gives up, after half a minute perhaps. So
//! names that were found quickly before have threads of their own; all others share a few, and one that
//! was slow and not found is left alone for a while. However many wait for a name, it is looked up once.
//!
//! A resolver that does not answer is our trouble, unless it answers for other names all the time: then
//! it is this name whose servers are dead.

use std::collections::HashMap;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// One part in so many of the lookups that may be under way is for names that were not found quickly the
/// last time.
const DOUBTFUL: usize = 4;

/// What takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);

/// For how long a name is left alone at first, and at most.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often in a row the resolver has to have no answer for a name, and answers for others in between,
/// until that is the name's fault.
const PROOFS: u32 = 3;

/// How many names are remembered.
const REMEMBERED: usize = 50_000;

/// The addresses of a name, or why there are none.
pub(super) type Found = Result<Arc<[SocketAddr]>, Miss>;

/// Why a name was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// It does not exist, as far as can be known.
    Unknown,
    /// Nobody could tell.
    NoAnswer,
}

/// A lookup that others may be waiting for, too.
pub(super) type Lookup = Shared<BoxFuture<'static, Found>>;

/// The lookups of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Lookups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quick: Semaphore,
    doubtful: Semaphore,
    slow: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    under_way: HashMap<String, UnderWay>,
    known: HashMap<String, Record>,
    /// How often the resolver has answered, whatever it said.
    answers: u64,
}

#[derive(Debug)]
struct UnderWay {
    lookup: Lookup,
    /// It is its turn.
    is_begun: bool,
    /// Somebody has waited for too long.
    is_late: bool,
}

/// How the last lookup of a name ended, if that says something about the next one.
#[derive(Debug, Clone, Copy)]
enum Record {
    /// It was found quickly.
    Quick,
    /// It was not found.
    Missing(Missing),
}

#[derive(Debug, Clone, Copy, Default)]
struct Missing {
    /// How often in a row that was slow, and until when it is left alone.
    slow: u32,
    until: Option<Instant>,
    /// How often nobody could tell though others were answered for, and how many answers there had been.
    proofs: u32,
    answers: u64,
}

impl Lookups {
    /// So many may be under way.
    pub(super) fn new(number: usize) -> Self {
        let doubtful = number.div_ceil(DOUBTFUL);
        Self::with((number - doubtful).max(1), doubtful.max(1), SLOW)
    }

    fn with(quick: usize, doubtful: usize, slow: Duration) -> Self {
        let (quick, doubtful) = (Semaphore::new(quick), Semaphore::new(doubtful));
        Self(Arc::new(Inner { quick, doubtful, slow, state: Mutex::default() }))
    }

    /// The lookup of this name that is under way, or a new one, which goes on until `find` ends, even
    /// when those who wait for it have given up.
    pub(super) fn look_up<F>(&self, name: &str, find: impl FnOnce(String) -> F + Send + 'static) -> Lookup
    where
        F: Future<Output = Found> + Send + 'static,
    {
        let mut state = self.0.state();
        if let Some(under_way) = state.under_way.get(name) {
            return under_way.lookup.clone();
        }
        if let Some(miss) = state.left_alone(name) {
            return ready(Err(miss)).boxed().shared();
        }
        let task = tokio::spawn(self.clone().carry_out(name.to_owned(), find));
        let lookup = task.map(|ended| ended.unwrap_or(Err(Miss::NoAnswer))).boxed().shared();
        state
            .under_way
            .insert(name.to_owned(), UnderWay { lookup: lookup.clone(), is_begun: false, is_late: false });
        lookup
    }

    /// Somebody has waited for the lookup of this name for too long. One that waits for its turn proves
    /// nothing.
    pub(super) fn gave_up(&self, name: &str) -> Miss {
        let mut state = self.0.state();
        let Some(under_way) = state.under_way.get_mut(name).filter(|under_way| under_way.is_begun) else {
            return Miss::NoAnswer;
        };
        // However many have waited, it is one lookup.
        if std::mem::replace(&mut under_way.is_late, true) {
            return state.missing(name).miss();
        }
        state.note_silence(name)
    }

    async fn carry_out<F: Future<Output = Found>>(
        self,
        name: String,
        find: impl FnOnce(String) -> F,
    ) -> Found {
        let Self(inner) = self;
        let end = End { inner: &inner, name };
        let was_quick = matches!(inner.state().known.get(&end.name), Some(Record::Quick));
        let turns = if was_quick { &inner.quick } else { &inner.doubtful };
        let _turn = turns.acquire().await.map_err(|_| Miss::NoAnswer)?;
        if let Some(under_way) = inner.state().under_way.get_mut(&end.name) {
            under_way.is_begun = true;
        }
        let begun_at = Instant::now();
        let found = find(end.name.clone()).await;
        let is_slow = begun_at.elapsed() >= inner.slow;
        inner.state().note(&end.name, found, is_slow)
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// Why the name is not found, if it is not even looked up now.
    fn left_alone(&self, name: &str) -> Option<Miss> {
        let Some(Record::Missing(missing)) = self.known.get(name) else { return None };
        let is_left_alone = missing.until.is_some_and(|until| Instant::now() < until);
        is_left_alone.then(|| missing.miss())
    }

    /// Notes how a lookup ended, and answers what that means.
    fn note(&mut self, name: &str, found: Found, is_slow: bool) -> Found {
        let was_silent = found == Err(Miss::NoAnswer);
        let found = match found {
            Err(Miss::NoAnswer) => Err(self.note_silence(name)),
            answer => {
                self.note_answer(&answer);
                answer
            }
        };
        match (&found, is_slow) {
            (Ok(_), false) => self.remember(name, Record::Quick),
            (Err(_), true) => {
                let missing = self.missing(name);
                let (slow, until) = (missing.slow + 1, Some(Instant::now() + pause(missing.slow)));
                let proofs = if found == Err(Miss::Unknown) { PROOFS } else { missing.proofs };
                self.remember(name, Record::Missing(Missing { slow, until, proofs, ..missing }));
            }
            (Err(_), false) if was_silent => {}
            // Neither is worth a thread of those who are quick, nor a reason not to ask again.
            (Ok(_), true) | (Err(_), false) => drop(self.known.remove(name)),
        }
        found
    }

    /// This machine's own names are known without a resolver.
    fn note_answer(&mut self, answer: &Found) {
        let is_own = |addresses: &Arc<[SocketAddr]>| addresses.iter().all(|found| found.ip().is_loopback());
        if !answer.as_ref().is_ok_and(is_own) {
            self.answers += 1;
        }
    }

    /// Nobody could tell where the name leads. Answers whose fault that is.
    fn note_silence(&mut self, name: &str) -> Miss {
        let mut missing = self.missing(name);
        // The first time proves nothing: all answers may have been before.
        if missing.answers > 0 && missing.answers <= self.answers {
            missing.proofs += 1;
        }
        missing.answers = self.answers + 1;
        self.remember(name, Record::Missing(missing));
        missing.miss()
    }

    fn missing(&self, name: &str) -> Missing {
        match self.known.get(name) {
            Some(Record::Missing(missing)) => *missing,
            Some(Record::Quick) | None => Missing::default(),
        }
    }

    fn remember(&mut self, name: &str, record: Record) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(name.to_owned(), record);
    }
}

impl Missing {
    fn miss(&self) -> Miss {
        if self.proofs >= PROOFS { Miss::Unknown } else { Miss::NoAnswer }
    }
}

/// For how long a name is left alone that was dead so many times before.
fn pause(times: u32) -> Duration {
    PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_PAUSE)
}

/// Takes a lookup off the list, however it ends.
struct End<'a> {
    inner: &'a Inner,
    name: String,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.inner.state().under_way.remove(&self.name);
    }
}

#[cfg(test)]
mod tests;
