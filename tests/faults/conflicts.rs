//! Others get in the way of a transaction, and the database gives it up: nobody hears of that.
//!
//! On a single PostgreSQL it is rare; with serializable isolation, and on distributed databases,
//! it is usual.

use fail::FailScenario;
use futures_util::future::join_all;
use receiver::{Answer, Gate};
use rstest::rstest;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::json;

use crate::endurance::{ISSUED, publish};
use crate::own::beside;
use world::{On, World};

const SERIALIZABLE: &str = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation
    = serializable', current_database()); END $$";

/// A world in which every transaction is serializable; and the one whose database it uses.
async fn serializable() -> Option<(World, World)> {
    let owner = World::on(On::Postgres).await?.without_engine().await;
    beside(&owner).await.execute_unprepared(SERIALIZABLE).await.unwrap();
    Some((World::at(owner.database_url(), |_| {}).await, owner))
}

/// Waits until somebody waits for a lock that this connection holds.
async fn is_waited_for(db: &DatabaseConnection) {
    let waiting = "SELECT count(*) AS waiting FROM pg_stat_activity WHERE datname = current_database()
                   AND pg_backend_pid() = ANY (pg_blocking_pids(pid))";
    let statement = Statement::from_string(db.get_database_backend(), waiting);
    loop {
        let row = db.query_one_raw(statement.clone()).await.unwrap().unwrap();
        if row.try_get::<i64>("", "waiting").unwrap() > 0 {
            return;
        }
    }
}

#[rstest]
#[case("renameNotificationTarget", json!({ "name": "Another" }))]
#[case("deactivateNotificationTarget", json!({}))]
#[case("addSubscriptionsToNotificationTarget", json!({ "subscriptions": ["PAYMENT_CARD_CLOSED"] }))]
#[case("rotateNotificationTargetSigningKey", json!({}))]
#[tokio::test]
async fn a_change_that_conflicts_with_an_earlier_one_is_repeated(
    #[case] mutation: &str,
    #[case] mut input: serde_json::Value,
) {
    let _faults = FailScenario::setup();
    let Some((world, _owner)) = serializable().await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let other = beside(&world).await;
    let touch = format!("BEGIN; UPDATE target SET updated_at = updated_at WHERE id = '{target}'");
    other.execute_unprepared(&touch).await.unwrap();
    input["targetId"] = json!(target);
    let first = async {
        is_waited_for(&other).await;
        other.execute_unprepared("COMMIT").await.unwrap();
    };
    let (answer, ()) = tokio::join!(world.test.target(mutation, input), first);
    assert_eq!(answer["id"], json!(target), "{answer}");
}

#[tokio::test]
async fn the_victim_of_a_deadlock_tries_again() {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(On::Postgres).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.test.on_target("deactivateNotificationTarget", &target).await;
    let other = beside(&world).await;
    // It holds the target and wants the organization; the mutation does it the other way round. Who
    // waits patiently is not chosen.
    let hold =
        format!("SET deadlock_timeout = '1h'; BEGIN; UPDATE target SET name = 'B' WHERE id = '{target}'");
    other.execute_unprepared(&hold).await.unwrap();
    let first = async {
        is_waited_for(&other).await;
        other.execute_unprepared("SELECT id FROM organization FOR UPDATE; COMMIT").await.unwrap();
    };
    let (answer, ()) = tokio::join!(world.test.on_target("activateNotificationTarget", &target), first);
    assert_eq!(
        (&answer["status"], &answer["name"]),
        (&json!("PENDING_VERIFICATION"), &json!("B")),
        "{answer}"
    );
}

#[tokio::test]
async fn outcomes_that_conflict_with_an_earlier_write_are_written_again() {
    let _faults = FailScenario::setup();
    let Some((world, _owner)) = serializable().await else { return };
    let gate = Gate::new();
    world.receiver.script("/hook", [Answer::Held(gate.clone()), Answer::Status(200)]);
    let target = world.test.add_target(&world.receiver.uri("/hook"), &[ISSUED]).await;
    world.receiver.next("/hook").await;
    let other = beside(&world).await;
    let touch = format!("BEGIN; UPDATE target SET updated_at = updated_at WHERE id = '{target}'");
    other.execute_unprepared(&touch).await.unwrap();
    gate.open();
    is_waited_for(&other).await;
    other.execute_unprepared("COMMIT").await.unwrap();
    world.settle().await;
    assert_eq!(world.test.history(&target).await, ["PENDING_VERIFICATION", "ACTIVE"]);
    assert_eq!(world.receiver.count("/hook"), 1);
}

#[tokio::test]
async fn under_serializable_isolation_replicas_lose_nothing_and_publish_no_key_twice() {
    let _faults = FailScenario::setup();
    let Some((world, owner)) = serializable().await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let replica = World::at(owner.database_url(), |_| {}).await;
    let other = replica.test.with_key(world.test.key());
    let publishing = async |publisher: usize| {
        let mut acknowledged = Vec::new();
        for number in 0..15 {
            let event = json!({ "name": ISSUED, "node": {}, "idempotencyKey": number.to_string() });
            let through = if publisher.is_multiple_of(2) { &world.test } else { &other };
            // Who meets too many others is told so, and tries again.
            acknowledged.push(loop {
                if let Ok(mut ids) = publish(through, std::slice::from_ref(&event)).await {
                    break ids.remove(0);
                }
            });
        }
        acknowledged
    };
    let acknowledged = join_all((0..6).map(publishing)).await;
    for events in &acknowledged {
        assert_eq!(events, &acknowledged[0], "one key is one event");
    }
    replica.settle_despite_faults().await;
    world.settle_despite_faults().await;
    world.clock.advance(world.app.settings.lease);
    world.settle_despite_faults().await;
    for event in &acknowledged[0] {
        assert_eq!(world.test.attempt_statuses(event).await, ["SUCCESS"]);
    }
    assert_eq!(world.receiver.count("/hook"), 1 + 15);
}
