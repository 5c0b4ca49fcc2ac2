//! Looks and claims while somebody has a snapshot of the database open, as `pg_dump` has: what is settled
//! meanwhile cannot be cleaned away, and is not read again and again all the same.

use std::time::Duration;

use entity::{TargetId, Timestamp};
use receiver::Answer;
use reprise::app::Settings;
use reprise::db::Transaction;
use reprise::store::claims::{self, Demand};
use reprise::store::deliveries;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use world::{On, START, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const HOUR: Duration = Duration::from_secs(3_600);
const LEASE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn looks_do_not_read_deliveries_settled_under_an_open_snapshot() {
    let Some(world) = World::on(On::Postgres).await else { return };
    let target: TargetId = world.active_target(&world.test, "/hook", &[ISSUED]).await.parse().unwrap();
    let world = world.without_engine().await;
    let aside = Database::connect(world.database_url()).await.unwrap();
    let dump = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM delivery";
    aside.execute_unprepared(dump).await.unwrap();
    wait(&world, &target, "due", START + HOUR).await;

    settle_some(&world, &target, 0..1_000).await;
    let few = Pages::read(&world, &target).await;
    settle_some(&world, &target, 1_000..5_000).await;
    let many = Pages::read(&world, &target).await;
    assert!(many.look < few.look + 10, "{many:?} after {few:?}");
    assert!(many.claim < few.claim + 10, "{many:?} after {few:?}");
    // Or the snapshot would keep nothing, and this would prove nothing.
    assert!(many.full_look > few.full_look * 2, "{many:?} after {few:?}");
}

/// How many pages of deliveries and their indexes were read.
#[derive(Debug)]
struct Pages {
    look: i64,
    claim: i64,
    full_look: i64,
}

impl Pages {
    /// Reads what is due within the last minute of the first hour, and then all. Claims come to nothing.
    async fn read(world: &World, target: &TargetId) -> Self {
        let (since, now) = (START + HOUR - Duration::from_secs(60), START + HOUR);
        let tx = world.app.db.begin().await.unwrap();
        let start = fetched(&tx).await;
        let lanes = deliveries::due_backlogs(&tx, &[(target.clone(), since)], now).await.unwrap();
        assert_eq!(lanes.len(), 1);
        let looked = fetched(&tx).await;
        let room = Demand { target: target.clone(), size: 64, since };
        assert_eq!(claims::claim(&tx, &[room], now, now + LEASE).await.unwrap().len(), 1);
        let claimed = fetched(&tx).await;
        assert_eq!(deliveries::backlogs(&tx).await.unwrap().len(), 1);
        let looked_fully = fetched(&tx).await;
        drop(tx);
        Self { look: looked - start, claim: claimed - looked, full_look: looked_fully - claimed }
    }
}

/// How many pages the session has read until now: those in memory count too.
async fn fetched(tx: &Transaction) -> i64 {
    let pages = "
        SELECT (pg_stat_get_xact_blocks_fetched('delivery'::regclass)
                + sum(pg_stat_get_xact_blocks_fetched(indexrelid)))::bigint AS pages
        FROM pg_index WHERE indrelid = 'delivery'::regclass";
    let statement = Statement::from_string(DbBackend::Postgres, pages);
    tx.query_one_raw(statement).await.unwrap().unwrap().try_get("", "pages").unwrap()
}

/// Deliveries that become due one by one, and are settled.
async fn settle_some(world: &World, target: &TargetId, numbers: std::ops::Range<i64>) {
    let tx = world.app.db.begin().await.unwrap();
    for number in numbers {
        tx.execute_unprepared(&insert(target, &format!("settled-{number}"), START.later_by(number)))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let tx = world.app.db.begin().await.unwrap();
    let settle = "UPDATE delivery SET state = 'SUCCEEDED', due_at = NULL, succeeded = TRUE \
                  WHERE due_at IS NOT NULL AND event_id LIKE 'settled-%'";
    tx.execute_unprepared(settle).await.unwrap();
    tx.commit().await.unwrap();
}

async fn wait(world: &World, target: &TargetId, event: &str, due_at: Timestamp) {
    let tx = world.app.db.begin().await.unwrap();
    tx.execute_unprepared(&insert(target, event, due_at)).await.unwrap();
    tx.commit().await.unwrap();
}

fn insert(target: &TargetId, event: &str, due_at: Timestamp) -> String {
    let due_at = due_at.as_millis();
    format!(
        "INSERT INTO delivery (event_id, target_id, purpose, state, replay, queued_at, due_at, attempts, \
                               is_retry, claim, epoch) \
         VALUES ('{event}', '{target}', 'EVENT', 'WAITING', FALSE, {due_at}, {due_at}, 0, FALSE, 0, 0)"
    )
}

#[rstest]
#[tokio::test]
async fn a_look_at_known_targets_finds_what_became_due_since(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let world = world.without_engine().await;
    let now = START + HOUR;
    // More than one statement takes.
    let mut known: Vec<(TargetId, Timestamp)> =
        (0..1_100).map(|_| (TargetId::new(START), Timestamp::default())).collect();
    let due_at = [now, now - HOUR, now - HOUR - Duration::from_millis(1), now + Duration::from_millis(1)];
    for (number, due_at) in due_at.into_iter().enumerate() {
        known[number * 300].1 = now - HOUR;
        wait(&world, &known[number * 300].0, "event", due_at).await;
    }
    let db = world.app.db.reader();
    let mut found: Vec<_> = deliveries::due_backlogs(db, &known, now).await.unwrap();
    found.sort_by_key(|lane| lane.due_at);
    let found: Vec<_> = found.into_iter().map(|lane| (lane.target_id, lane.due_at, lane.status)).collect();
    assert_eq!(found, [(known[300].0.clone(), now - HOUR, None), (known[0].0.clone(), now, None)]);
    assert!(deliveries::due_backlogs(db, &[], now).await.unwrap().is_empty());
}

#[rstest]
#[tokio::test]
async fn a_retry_is_made_without_a_wakeup(#[values(On::Sqlite, On::Postgres)] on: On) {
    let look_often = |settings: &mut Settings| settings.look_interval = Duration::from_millis(20);
    let Some(world) = World::with(on, look_often).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500), Answer::Status(500)]);
    let event = world.test.publish(ISSUED).await;
    for attempts in 1..=3 {
        while world.test.attempts(&event).await.len() < attempts {
            tokio::task::yield_now().await;
        }
        world.clock.advance(24 * HOUR);
    }
}
