//! A transaction that nobody waits for any more, dropped at each point where it waits, leaves nothing
//! behind that the next one does not expect.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use fail::FailScenario;
use rstest::rstest;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::own::beside;
use world::{On, World};

/// How often a transaction waits at most; how often depends on how quickly the database answers.
const MOST: usize = 12;
const ROUNDS: usize = 10 * MOST;

/// Drops `work` when it waits for the so-manieth time. None: it was dropped.
async fn abandoned<T>(work: impl Future<Output = T>, mut waits: usize) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if waits == 0 => Poll::Ready(None),
        Poll::Pending => {
            waits -= 1;
            Poll::Pending
        }
    })
    .await
}

fn insert(name: &str) -> String {
    format!("INSERT INTO organization (id, display_name, created_at) VALUES ('{name}', '{name}', 0)")
}

/// One transaction of several statements.
async fn write(world: &World, name: &str) -> bool {
    let Ok(tx) = world.app.db.begin().await else { return false };
    for part in ["a", "b"] {
        if tx.execute_unprepared(&insert(&format!("{name}-{part}"))).await.is_err() {
            return false;
        }
    }
    tx.commit().await.is_ok()
}

/// How many rows of a transaction another connection sees.
async fn rows(db: &DatabaseConnection, name: &str) -> i64 {
    let count = format!("SELECT count(*) AS rows FROM organization WHERE id LIKE '{name}-%'");
    let statement = Statement::from_string(db.get_database_backend(), count);
    db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "rows").unwrap()
}

#[rstest]
#[tokio::test]
async fn a_transaction_that_is_dropped_wherever_it_waits_leaves_nothing_open(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    let world = world.without_engine().await;
    let other = beside(&world).await;
    let mut dropped = 0;
    for round in 0..ROUNDS {
        let (first, next) = (format!("first{round}"), format!("next{round}"));
        let waits = round % MOST;
        let ended = abandoned(Box::pin(write(&world, &first)), waits).await;
        assert!(write(&world, &next).await, "the next one is not in its way");
        assert_eq!(rows(&other, &next).await, 2, "what is committed is there, after {waits} waits");
        // Given up while it was committed, it may be there; but not by halves.
        let there = rows(&other, &first).await;
        if let Some(done) = ended {
            assert!(done && there == 2, "acknowledged");
        } else {
            assert!(there == 0 || there == 2, "{there} rows after {waits} waits");
            dropped += 1;
        }
    }
    assert!(dropped >= ROUNDS / MOST, "it waits at least once");
}

#[rstest]
#[case::sqlite(On::Sqlite, "INSERT INTO organization (id, display_name, created_at) VALUES ('x-a', 'x', 0)")]
#[case::sqlite_ends_it(On::Sqlite, "INSERT OR ROLLBACK INTO organization VALUES ('x-a', 'x', 0)")]
#[case::sqlite_undone(On::Sqlite, "ROLLBACK")]
#[case::sqlite_committed(On::Sqlite, "COMMIT")]
#[case::postgres(
    On::Postgres,
    "INSERT INTO organization (id, display_name, created_at) VALUES ('x-a', 'x', 0)"
)]
#[case::postgres_ends(On::Postgres, "SELECT pg_terminate_backend(pg_backend_pid())")]
#[tokio::test]
async fn after_an_error_a_transaction_takes_nothing_and_the_next_one_commits(
    #[case] on: On,
    #[case] end: &str,
) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    let world = world.without_engine().await;
    let other = beside(&world).await;
    for round in 0..3 {
        let tx = world.app.db.begin().await.unwrap();
        tx.execute_unprepared(&insert("x-a")).await.unwrap();
        // Whether it fails or not, the transaction is over or cannot be committed.
        let ended = tx.execute_unprepared(end).await;
        if ended.is_err() {
            assert!(tx.execute_unprepared(&insert("x-b")).await.is_err(), "what comes after it is not done");
        }
        assert!(tx.commit().await.is_err(), "what is not there is not acknowledged");
        assert_eq!(rows(&other, "x").await, i64::from(end == "COMMIT"), "nothing of it is there");
        other.execute_unprepared("DELETE FROM organization WHERE id LIKE 'x-%'").await.unwrap();
        let next = format!("next{round}");
        assert!(write(&world, &next).await);
        assert_eq!(rows(&other, &next).await, 2, "the next one is there");
    }
}
