//! Names that are dead, names that are slow, and a resolver that is away.

use std::future::pending;

use super::Miss::{NoAnswer, Unknown};
use super::*;

const NEVER: Duration = Duration::MAX;

/// Finds a name at once.
async fn find(_name: String) -> Found {
    Ok(Arc::from([SocketAddr::from(([8, 8, 8, 8], 0))]))
}

async fn unknown(_name: String) -> Found {
    Err(Miss::Unknown)
}

async fn silence(_name: String) -> Found {
    Err(Miss::NoAnswer)
}

/// Finds a name that this machine knows by itself.
async fn find_own(_name: String) -> Found {
    Ok(Arc::from([SocketAddr::from(([127, 0, 0, 1], 0))]))
}

async fn is_found(lookups: &Lookups, name: &str) -> bool {
    lookups.look_up(name, find).await.is_ok()
}

#[tokio::test]
async fn names_that_never_answer_do_not_delay_names_that_did() {
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
    let lookups = Lookups::new(8);
    let first = lookups.look_up("good.com", find);
    let second = lookups.look_up("good.com", |_| async { panic!("it is under way") });
    let other = lookups.look_up("other.com", unknown);
    assert!(first.ptr_eq(&second) && !first.ptr_eq(&other));
    assert_eq!((first.await, other.await), (second.await, Err(Miss::Unknown)));
    assert!(lookups.0.state().under_way.is_empty());
}

#[tokio::test]
async fn a_lookup_that_panics_has_no_answer_and_leaves_no_trace() {
    let lookups = Lookups::new(8);
    let panic = lookups.look_up("good.com", |_| async { panic!("on purpose") });
    assert_eq!(panic.await, Err(Miss::NoAnswer));
    assert!(is_found(&lookups, "good.com").await);
}

#[tokio::test]
async fn a_dead_name_is_not_looked_up_for_a_while_an_unknown_one_is() {
    let (all_slow, all_quick) = (Lookups::with(1, 1, Duration::ZERO), Lookups::with(1, 1, NEVER));
    for lookups in [&all_slow, &all_quick] {
        assert_eq!(lookups.look_up("a.com", unknown).await, Err(Miss::Unknown));
    }
    assert!(!is_found(&all_slow, "a.com").await);
    assert!(is_found(&all_slow, "b.com").await);
    assert!(is_found(&all_quick, "a.com").await);
}

#[tokio::test]
async fn a_resolver_that_answers_nobody_is_not_blamed_on_a_name() {
    let lookups = Lookups::with(1, 1, NEVER);
    assert!(is_found(&lookups, "b.com").await);
    for _ in 0..100 {
        assert_eq!(lookups.look_up("a.com", silence).await, Err(Miss::NoAnswer));
        assert_eq!(lookups.look_up("b.com", silence).await, Err(Miss::NoAnswer));
        assert!(lookups.look_up("localhost", find_own).await.is_ok());
    }
    assert!(is_found(&lookups, "a.com").await);
}

#[tokio::test]
async fn a_name_without_an_answer_while_others_have_some_is_dead_until_it_is_found() {
    let lookups = Lookups::with(1, 1, NEVER);
    let mut misses = Vec::new();
    for _ in 0..5 {
        misses.push(lookups.look_up("a.com", silence).await.unwrap_err());
        lookups.look_up("b.com", unknown).await.unwrap_err();
    }
    assert_eq!(misses, [NoAnswer, NoAnswer, NoAnswer, Unknown, Unknown]);
    assert!(is_found(&lookups, "a.com").await);
    assert_eq!(lookups.look_up("a.com", silence).await, Err(NoAnswer));
}

#[tokio::test]
async fn giving_up_on_a_queued_name_proves_nothing() {
    let lookups = Lookups::with(1, 1, NEVER);
    let first = lookups.look_up("first.com", |_| pending());
    let second = lookups.look_up("second.com", find);
    assert!((first.clone().now_or_never(), second.clone().now_or_never()) == (None, None));
    tokio::task::yield_now().await;
    for _ in 0..10 {
        lookups.0.state().answers += 1;
        assert_eq!(lookups.gave_up("second.com"), Miss::NoAnswer);
        // However many have waited for it, it is one lookup.
        assert_eq!(lookups.gave_up("first.com"), Miss::NoAnswer);
    }
    let silences = |name| match lookups.0.state().known.get(name) {
        Some(Record::Missing(missing)) => missing.answers,
        _ => 0,
    };
    assert_eq!((silences("first.com"), silences("second.com")), (2, 0));
}

#[test]
fn a_name_that_stays_dead_is_looked_up_less_and_less_often() {
    let seconds = [0, 1, 2, 3, 4, 1_000].map(|times| pause(times).as_secs());
    assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
}
