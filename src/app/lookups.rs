//! Looks up names, and sees to it that names whose servers never answer keep no others waiting.
//!
//! A lookup holds a thread of the system's resolver until that gives up, after half a minute perhaps. So
//! names that were found quickly before have threads of their own; all others share a few, and one that
//! was slow and not found is left alone for a while. However many wait for a name, it is looked up once.

use std::collections::HashMap;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How many lookups may be under way, together half of the threads that the runtime has for what blocks:
/// of names that were found quickly the last time, and of all others.
const QUICK: usize = 192;
const DOUBTFUL: usize = 64;

/// What takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);

/// For how long a name is left alone at first, and at most.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How many names are remembered.
const REMEMBERED: usize = 50_000;

/// The addresses of a name; none if it was not found.
pub type Found = Option<Arc<[SocketAddr]>>;

/// A lookup that others may be waiting for, too.
pub type Lookup = Shared<BoxFuture<'static, Found>>;

/// The lookups of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lookups(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    quick: Semaphore,
    doubtful: Semaphore,
    slow: Duration,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    under_way: HashMap<String, Lookup>,
    known: HashMap<String, Record>,
}

/// How the last lookup of a name ended, if that says something about the next one.
#[derive(Debug, Clone, Copy)]
enum Record {
    /// It was found quickly.
    Quick,
    /// It was slow and not found, so often in a row, and is left alone until then.
    Dead(u32, Instant),
}

impl Default for Lookups {
    fn default() -> Self {
        Self::with(QUICK, DOUBTFUL, SLOW)
    }
}

impl Lookups {
    fn with(quick: usize, doubtful: usize, slow: Duration) -> Self {
        let (quick, doubtful) = (Semaphore::new(quick), Semaphore::new(doubtful));
        Self(Arc::new(Desk { quick, doubtful, slow, book: Mutex::default() }))
    }

    /// The lookup of this name that is under way, or a new one, which goes on until `find` ends, even
    /// when those who wait for it have given up.
    pub fn look_up<F>(&self, name: &str, find: impl FnOnce(String) -> F + Send + 'static) -> Lookup
    where
        F: Future<Output = Found> + Send + 'static,
    {
        let mut book = self.0.book();
        if let Some(lookup) = book.under_way.get(name) {
            return lookup.clone();
        }
        if book.is_dead(name) {
            return ready(None).boxed().shared();
        }
        let task = tokio::spawn(self.clone().carry_out(name.to_owned(), find));
        let lookup = task.map(|ended| ended.unwrap_or(None)).boxed().shared();
        book.under_way.insert(name.to_owned(), lookup.clone());
        lookup
    }

    async fn carry_out<F: Future<Output = Found>>(
        self,
        name: String,
        find: impl FnOnce(String) -> F,
    ) -> Found {
        let Self(desk) = self;
        let end = End { desk: &desk, name };
        let was_quick = matches!(desk.book().known.get(&end.name), Some(Record::Quick));
        let turns = if was_quick { &desk.quick } else { &desk.doubtful };
        let _turn = turns.acquire().await.ok()?;
        let begun_at = Instant::now();
        let found = find(end.name.clone()).await;
        let is_slow = begun_at.elapsed() >= desk.slow;
        desk.book().note(&end.name, found.is_some(), is_slow);
        found
    }
}

impl Desk {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nothing panics while it holds the lock")
    }
}

impl Book {
    fn is_dead(&self, name: &str) -> bool {
        matches!(self.known.get(name), Some(Record::Dead(_, until)) if Instant::now() < *until)
    }

    fn note(&mut self, name: &str, is_found: bool, is_slow: bool) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let times = if let Some(Record::Dead(times, _)) = self.known.remove(name) { times } else { 0 };
        let record = match (is_found, is_slow) {
            (true, false) => Record::Quick,
            (false, true) => Record::Dead(times + 1, Instant::now() + pause(times)),
            // Neither is worth a thread of those who are quick, nor a reason not to ask again.
            (true, true) | (false, false) => return,
        };
        self.known.insert(name.to_owned(), record);
    }
}

/// For how long a name is left alone that was dead so many times before.
fn pause(times: u32) -> Duration {
    PAUSE.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_PAUSE)
}

/// Takes a lookup off the list, however it ends.
struct End<'a> {
    desk: &'a Desk,
    name: String,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.desk.book().under_way.remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const NEVER: Duration = Duration::MAX;

    /// Finds a name at once.
    async fn find(_name: String) -> Found {
        Some(Arc::from([SocketAddr::from(([8, 8, 8, 8], 0))]))
    }

    async fn is_found(lookups: &Lookups, name: &str) -> bool {
        lookups.look_up(name, find).await.is_some()
    }

    #[tokio::test]
    async fn names_that_never_answer_do_not_keep_those_waiting_that_did() {
        let lookups = Lookups::with(1, 2, NEVER);
        assert!(is_found(&lookups, "good.com").await);
        let dead = |number| lookups.look_up(&format!("{number}.dead.com"), |_| pending());
        let waiting: Vec<_> = (0..100).map(dead).collect();
        let newcomer = lookups.look_up("new.com", find);
        for _ in 0..10 {
            assert!(is_found(&lookups, "good.com").await);
        }
        // The others share what there is.
        assert!(newcomer.now_or_never().is_none());
        assert!(waiting.into_iter().all(|lookup| lookup.now_or_never().is_none()));
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_all_who_wait() {
        let lookups = Lookups::default();
        let first = lookups.look_up("good.com", find);
        let second = lookups.look_up("good.com", |_| async { panic!("it is under way") });
        let other = lookups.look_up("other.com", |_| async { None });
        assert!(first.ptr_eq(&second) && !first.ptr_eq(&other));
        assert_eq!((first.await, other.await), (second.await, None));
        assert!(lookups.0.book().under_way.is_empty());
    }

    #[tokio::test]
    async fn what_panics_is_not_found_and_does_not_stay_on_the_list() {
        let lookups = Lookups::default();
        assert_eq!(lookups.look_up("good.com", |_| async { panic!("on purpose") }).await, None);
        assert!(is_found(&lookups, "good.com").await);
    }

    #[tokio::test]
    async fn a_dead_name_is_left_alone_for_a_while_and_one_that_is_only_unknown_is_not() {
        let (all_slow, all_quick) = (Lookups::with(1, 1, Duration::ZERO), Lookups::with(1, 1, NEVER));
        for lookups in [&all_slow, &all_quick] {
            assert_eq!(lookups.look_up("a.com", |_| async { None }).await, None);
        }
        assert!(!is_found(&all_slow, "a.com").await);
        assert!(is_found(&all_slow, "b.com").await);
        assert!(is_found(&all_quick, "a.com").await);
    }

    #[test]
    fn the_longer_it_is_dead_the_longer_it_is_left_alone() {
        let seconds = [0, 1, 2, 3, 4, 1_000].map(|times| pause(times).as_secs());
        assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
    }
}
