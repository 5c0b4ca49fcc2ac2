//! The disk takes nothing more: it is full, or it has become read-only.
//!
//! SQLite is told to take no more pages, and PostgreSQL's processes may not write beyond a size of a
//! file: each then fails where and as it does on a full disk, without one. That the file system itself
//! turns read-only cannot be done without the rights to mount one; SQLite's own switch stands for it.

use std::time::Duration;

use fail::FailScenario;
use rand::RngExt as _;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::endurance::{ISSUED, becomes, endure, endure_refusing, is_clean, publish};
use crate::own::{Own, beside, cut};
use crate::world::{On, World};

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

async fn pragma(world: &World, statement: String) {
    let tx = world.app.db.begin().await.unwrap();
    tx.execute_unprepared(&statement).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_under_sqlite_refuses_and_loses_nothing() {
    let _faults = FailScenario::setup();
    let world = World::on(On::Sqlite).await.unwrap();
    let db = world.app.db.reader();
    let events = big_events();
    let fill_up = async || {
        let statement = Statement::from_string(db.get_database_backend(), "PRAGMA page_count");
        let pages: i64 =
            db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "page_count").unwrap();
        pragma(&world, format!("PRAGMA max_page_count = {}", pages + 1)).await;
        fill(&world, &events).await;
    };
    let make_room = async || pragma(&world, format!("PRAGMA max_page_count = {}", u32::MAX - 1)).await;
    endure_refusing(&world, &events, fill_up, make_room).await;
}

#[tokio::test]
async fn a_full_disk_under_postgres_refuses_and_loses_nothing() {
    let _faults = FailScenario::setup();
    let Some(own) = Own::start() else { return };
    own.crash();
    own.recover_confined(ROOM);
    let (world, events) = (World::at(&own.url()).await, big_events());
    let make_room = async || {
        own.crash();
        own.recover();
    };
    endure_refusing(&world, &events, async || fill(&world, &events).await, make_room).await;
}

#[tokio::test]
async fn a_postgres_that_has_become_read_only_loses_nothing() {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(On::Postgres).await else { return };
    let operator = beside(&world).await;
    operator.execute_unprepared("SET default_transaction_read_only = off").await.unwrap();
    let set = async |read_only: &str| {
        let statement = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {read_only}',
             current_database()); END $$"
        );
        operator.execute_unprepared(&statement).await.unwrap();
        cut(&operator).await;
    };
    endure(&world, async || set("on").await, async || set("off").await).await;
}

#[tokio::test]
async fn an_sqlite_file_that_has_become_read_only_loses_nothing() {
    let _faults = FailScenario::setup();
    let world = World::on(On::Sqlite).await.unwrap();
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.next("/hook").await;
    let gate = receiver::Gate::new();
    world.receiver.script("/hook", [receiver::Answer::Held(gate.clone()), receiver::Answer::Status(200)]);
    let in_flight = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    pragma(&world, "PRAGMA query_only = on".to_owned()).await;
    gate.open();
    let refused = publish(&world.test, &[json!({ "name": ISSUED, "node": {} })]).await;
    is_clean(&refused.unwrap_err());
    becomes(&world, 503).await;

    // The operator starts the server anew: what it had sent and could not record is sent again.
    let world = world.restart().await;
    becomes(&world, 200).await;
    world.pass(world.app.settings.lease + Duration::from_secs(1)).await;
    assert_eq!(world.test.attempt_statuses(&in_flight).await, ["SUCCESS"]);
    assert_eq!(world.receiver.count("/hook"), 3);
}
