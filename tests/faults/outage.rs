//! The database goes away, is slow, has no room or is cut off; and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fail::FailScenario;
use reprise::app::Settings;
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::endurance::{ISSUED, becomes, endure, publish};
use crate::own::{Own, beside, cut};
use crate::proxy::Proxy;
use world::program::Site;
use world::{On, World, impatient};

#[tokio::test]
async fn while_the_database_is_away_the_server_says_so_and_afterwards_it_goes_on() {
    let _faults = FailScenario::setup();
    let Some(own) = Own::start() else { return };
    let world = World::at(&own.url(), impatient).await;
    endure(&world, async || own.crash(), async || own.recover()).await;
}

#[tokio::test]
async fn a_database_that_is_back_is_told_with_how_long_it_was_away() {
    let _faults = FailScenario::setup();
    let Some(own) = Own::start() else { return };
    let mut site = Site::at(&own.url()).await;
    site.set("REPRISE_LOG_FORMAT", "json");
    let mut server = site.serve().await;
    own.crash();
    // The same failure is told for the second time: it has been away for seconds.
    while server.next_entry().await["times"].as_u64().is_none_or(|times| times == 1) {}
    own.recover();
    let back = server.entry("the database is back", &[]).await;
    assert_eq!(back["level"], "INFO");
    assert!(back["duration_ms"].as_u64().is_some_and(|away| away >= 1_000), "{back}");
}

#[tokio::test]
async fn while_the_database_is_away_the_engine_retries_with_pauses() {
    let _faults = FailScenario::setup();
    let Some(own) = Own::start() else { return };
    let world = World::at(&own.url(), impatient).await;
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    own.crash();
    let calls = Arc::new(AtomicU32::new(0));
    let count = calls.clone();
    fail::cfg_callback("database", move || {
        count.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    let start = Instant::now();
    world.app.wakeup.wake([target.parse().unwrap()]);
    while calls.load(Ordering::Relaxed) < 5 {
        tokio::time::sleep(world.app.settings.pause).await;
    }
    let pauses = start.elapsed().as_millis() / world.app.settings.pause.as_millis() + 1;
    // A look, a claim.
    assert!(u128::from(calls.load(Ordering::Relaxed)) <= 2 * pauses, "{calls:?} calls in {pauses} pauses");
}

#[tokio::test]
async fn a_database_that_is_slow_delays_and_loses_nothing() {
    let _faults = FailScenario::setup();
    let Some(behind) = World::on(On::Postgres).await else { return };
    let proxy = Proxy::before(behind.database_url()).await;
    let world = World::at(proxy.url.as_str(), impatient).await;
    proxy.delay(Some(Duration::from_millis(20)));
    endure(
        &world,
        async || proxy.delay(Some(Duration::from_secs(3))),
        async || proxy.delay(Some(Duration::from_millis(20))),
    )
    .await;
}

#[tokio::test]
async fn a_database_that_says_nothing_at_all_is_not_waited_for() {
    let _faults = FailScenario::setup();
    let Some(behind) = World::on(On::Postgres).await else { return };
    let proxy = Proxy::before(behind.database_url()).await;
    let world = World::at(proxy.url.as_str(), impatient).await;
    endure(&world, async || proxy.delay(None), async || proxy.delay(Some(Duration::ZERO))).await;
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_waited_for() {
    let _faults = FailScenario::setup();
    let world = World::with(On::Sqlite, impatient).await.unwrap();
    let other = beside(&world).await;
    let say = async |statement| {
        other.execute_unprepared(statement).await.unwrap();
    };
    endure(&world, async || say("BEGIN IMMEDIATE").await, async || say("ROLLBACK").await).await;
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_told_before_anybody_writes() {
    let _faults = FailScenario::setup();
    let world = World::on(On::Sqlite).await.unwrap().without_engine().await;
    becomes(&world.test, 200).await;
    let other = beside(&world).await;
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    becomes(&world.test, 503).await;
    other.execute_unprepared("ROLLBACK").await.unwrap();
    becomes(&world.test, 200).await;
}

#[tokio::test]
async fn when_others_hold_all_connections_the_server_waits_for_one() {
    let _faults = FailScenario::setup();
    let Some(world) = World::with(On::Postgres, impatient).await else { return };
    let held = tokio::sync::Mutex::new(Vec::new());
    let take_all = async || {
        while let Ok(tx) = world.app.db.begin().await {
            held.lock().await.push(tx);
        }
    };
    endure(&world, take_all, async || held.lock().await.clear()).await;
}

#[tokio::test]
async fn connections_that_are_cut_again_and_again_lose_nothing() {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(On::Postgres).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let knife = beside(&world).await;
    let publishing = async |publisher: usize| {
        let mut acknowledged = Vec::new();
        for number in 0..20 {
            let key = format!("{publisher}-{number}");
            let event = json!({ "name": ISSUED, "node": {}, "idempotencyKey": key });
            acknowledged.push(loop {
                if let Ok(mut ids) = publish(&world.test, std::slice::from_ref(&event)).await {
                    break ids.remove(0);
                }
            });
        }
        acknowledged
    };
    let cutting = async {
        loop {
            cut(&knife).await;
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    };
    let acknowledged = tokio::select! {
        all = futures_util::future::join_all((0..4).map(publishing)) => all.concat(),
        () = cutting => unreachable!(),
    };
    world.settle_despite_faults().await;
    // What was claimed when a connection was cut is due again when its lease ends.
    world.clock.advance(world.app.settings.lease);
    world.settle_despite_faults().await;
    assert_eq!(acknowledged.len(), 80);
    for event in acknowledged {
        let statuses = world.test.attempt_statuses(&event).await;
        assert!(!statuses.is_empty() && statuses.iter().all(|status| status == "SUCCESS"), "{statuses:?}");
    }
}

#[tokio::test]
async fn a_replica_that_hears_nothing_finds_its_work_by_looking() {
    let _faults = FailScenario::setup();
    let often = |settings: &mut Settings| settings.look_interval = Duration::from_millis(50);
    let Some(world) = World::with(On::Postgres, often).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.next("/hook").await;
    let _replica = world.replica().await;
    let world = world.without_engine().await;
    let deaf = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    beside(&world).await.execute_unprepared(deaf).await.unwrap();
    let event = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    while world.test.attempt_statuses(&event).await != ["SUCCESS"] {}
}
