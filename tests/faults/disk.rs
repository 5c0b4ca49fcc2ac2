//! The disk takes nothing more: it is full, or it has become read-only.
//!
//! PostgreSQL's processes may not write beyond a size of a file: they then fail where and as they do on
//! a full disk, without one. SQLite's real full disks are in `acknowledged`.

use fail::FailScenario;
use rand::RngExt as _;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::endurance::{endure, endure_refusing, publish};
use crate::own::{Own, beside, cut, set_read_only};
use world::{On, World, impatient};

/// An event name that no target subscribes to.
const UNHEARD: &str = "PAYMENT_CARD_CLOSED";
/// PostgreSQL's log of changes is made of files of 16 MiB, which have to fit.
const ROOM: u64 = 17 * 1_024 * 1_024;

/// Events of a quarter of a mebibyte that cannot be compressed, as many as fit into one call.
fn big_events() -> Vec<Value> {
    let big = || hex::encode(rand::rng().random_iter::<u8>().take(120_000).collect::<Vec<_>>());
    (0..15).map(|_| json!({ "name": UNHEARD, "node": { "big": big() } })).collect()
}

/// Publishes until nothing more fits in.
async fn fill(world: &World, events: &[Value]) {
    while publish(&world.test, events).await.is_ok() {}
}

#[tokio::test]
async fn a_full_disk_under_postgres_refuses_and_loses_nothing() {
    let _faults = FailScenario::setup();
    let Some(own) = Own::start() else { return };
    own.crash();
    own.recover_confined(ROOM);
    let (world, events) = (World::at(&own.url(), impatient).await, big_events());
    let make_room = async || {
        own.crash();
        own.recover();
    };
    endure_refusing(&world, &events, async || fill(&world, &events).await, make_room).await;
}

#[tokio::test]
async fn a_postgres_that_has_become_read_only_loses_nothing() {
    let _faults = FailScenario::setup();
    let Some(world) = World::with(On::Postgres, impatient).await else { return };
    let operator = beside(&world).await;
    let set = async |is_read_only| {
        set_read_only(&operator, is_read_only).await;
        cut(&operator).await;
    };
    endure(&world, async || set(true).await, async || set(false).await).await;
}

/// As many bytes as SQLite's log has when it is cut.
const LOG: u64 = 64 * 1_024 * 1_024;

#[tokio::test]
async fn a_log_that_a_reader_made_long_becomes_short_again() {
    let _faults = FailScenario::setup();
    let world = World::on(On::Sqlite).await.unwrap().without_engine().await;
    let write = async |statement: &str| {
        let tx = world.app.db.begin().await.unwrap();
        tx.execute_unprepared(statement).await.unwrap();
        tx.commit().await.unwrap();
    };
    let log = || {
        let path = world.database_url().trim_start_matches("sqlite://").to_owned() + "-wal";
        std::fs::metadata(path).unwrap().len()
    };
    write("CREATE TABLE ballast (content BLOB)").await;
    let reader = beside(&world).await;
    reader.execute_unprepared("BEGIN; SELECT count(*) FROM ballast").await.unwrap();
    while log() < LOG + LOG / 8 {
        write("INSERT INTO ballast VALUES (zeroblob(4000000))").await;
    }
    reader.execute_unprepared("ROLLBACK").await.unwrap();
    while log() > LOG {
        write("INSERT INTO ballast VALUES ('a little')").await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
