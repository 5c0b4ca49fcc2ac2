//! Sending events once more by hand (R1–R4, W2).

use std::time::Duration;

use entity::{EventId, delivery};
use receiver::{Answer, Gate, Received};
use reprise::store::claims;
use rstest::rstest;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use world::api::codes;
use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

#[rstest]
#[tokio::test]
async fn without_a_list_it_goes_to_every_active_target_that_is_subscribed_now(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/before", &[ISSUED]).await;
    let deactivated = world.active_target(&world.test, "/deactivated", &[ISSUED]).await;
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    world.test.on_target("deactivateNotificationTarget", &deactivated).await;
    world.active_target(&world.test, "/later", &[ISSUED]).await;
    world.active_target(&world.test, "/other", &["PAYMENT_CARD_CLOSED"]).await;

    for targets in [None, Some(&[][..])] {
        assert_eq!(world.test.replay(&event, targets).await["id"], json!(event));
        world.settle().await;
    }
    assert_eq!(world.receiver.count("/before"), 1 + 1 + 2);
    assert_eq!(world.receiver.count("/deactivated"), 1 + 1);
    assert_eq!(world.receiver.count("/later"), 1 + 2);
    assert_eq!(world.receiver.count("/other"), 1);
    let replays: Vec<bool> = world
        .receiver
        .received("/before")
        .iter()
        .map(|one| one.header("highnote-replay") == Some("true"))
        .collect();
    assert_eq!(replays, [false, false, true, true]);
}

#[rstest]
#[tokio::test]
async fn with_a_list_the_others_are_ignored_without_an_error(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let one = world.active_target(&world.test, "/one", &[ISSUED]).await;
    let unsubscribed = world.active_target(&world.test, "/unsubscribed", &[]).await;
    world.active_target(&world.test, "/unnamed", &[ISSUED]).await;
    let foreign = world.active_target(&world.live, "/foreign", &[ISSUED]).await;
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    let list = [one.as_str(), &unsubscribed, &foreign, "nonsense", &one];
    assert_eq!(world.test.replay(&event, Some(&list)).await["__typename"], "NotificationEvent");
    world.settle().await;
    assert_eq!(world.receiver.count("/one"), 3);
    assert_eq!(world.receiver.count("/unnamed"), 2);
    assert_eq!(world.receiver.count("/unsubscribed"), 1);
    assert_eq!(world.receiver.count("/foreign"), 1);
}

#[rstest]
#[tokio::test]
async fn a_replay_has_the_full_number_of_attempts_and_each_bears_the_header(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    world.test.replay(&event, None).await;
    world.settle().await;
    for pause in [5, 15, 45] {
        world.pass(Duration::from_secs(pause)).await;
    }
    let mut expected = vec!["SUCCESS"];
    expected.extend(["FAILURE"; 4]);
    assert_eq!(world.test.attempt_statuses(&event).await, expected);
    let replays = world.receiver.received("/hook").split_off(2);
    assert_eq!(replays.len(), 4);
    assert!(replays.iter().all(|one| one.header("highnote-replay") == Some("true")));
    assert_eq!(world.test.status(&target).await, "DEACTIVATED");
}

#[rstest]
#[tokio::test]
async fn a_replay_during_an_attempt_waits_for_its_end(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.take("/hook");
    let gate = Gate::new();
    world.receiver.script("/hook", [Answer::Held(gate.clone()), Answer::Status(200)]);
    let event = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    // Whether once or twice, it is the same replay.
    world.test.replay(&event, None).await;
    world.test.replay(&event, None).await;
    let later = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    assert_eq!(renewed(&world, &event).await, 1, "the attempt keeps its lease");

    gate.open();
    world.settle().await;
    let received = world.receiver.take("/hook");
    let is_of = |one: &Received, event: &str| String::from_utf8_lossy(&one.body).contains(event);
    let order: Vec<(bool, Option<&str>)> =
        received.iter().map(|one| (is_of(one, &later), one.header("highnote-replay"))).collect();
    assert_eq!(order, [(false, None), (true, None), (false, Some("true"))]);
    assert_eq!(world.test.attempt_statuses(&event).await, ["SUCCESS", "SUCCESS"]);
}

#[rstest]
#[tokio::test]
async fn the_last_attempt_decides_nothing_once_there_is_a_replay(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    for pause in [5, 15] {
        world.pass(Duration::from_secs(pause)).await;
    }
    let gate = Gate::new();
    let answers = [Answer::Held(gate.clone()), Answer::Status(500), Answer::Status(200)];
    world.receiver.take("/hook");
    world.receiver.script("/hook", answers);
    world.clock.advance(Duration::from_secs(45));
    world.app.wakeup.wake_everywhere();
    world.receiver.next("/hook").await;
    world.test.replay(&event, None).await;
    gate.open();
    world.settle().await;
    world.pass(Duration::from_secs(5)).await;
    let statuses = world.test.attempt_statuses(&event).await;
    assert_eq!(statuses.last().map(String::as_str), Some("SUCCESS"));
    assert_eq!(world.test.status(&target).await, "ACTIVE");
    assert_eq!((statuses.len(), world.receiver.count("/hook")), (3 + 3, 3), "each attempt was sent once");
}

#[rstest]
#[tokio::test]
async fn a_replay_during_an_attempt_is_sent_even_if_its_worker_dies(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let world = world.without_engine().await;
    let event = world.test.publish(ISSUED).await;
    let lease = world.claim_and_die(&target).await;
    world.test.replay(&event, None).await;

    let world = world.restart().await;
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 1, "it is claimed");
    world.pass(lease).await;
    assert_eq!(world.receiver.count("/hook"), 2);
    assert_eq!(world.receiver.received("/hook")[1].header("highnote-replay"), Some("true"));
    assert_eq!(world.test.attempt_statuses(&event).await, ["SUCCESS"]);
}

/// Renews the leases of an event's deliveries, as their holders do. Answers of how many.
async fn renewed(world: &World, event: &str) -> usize {
    let id: EventId = event.parse().unwrap();
    let rows = delivery::Entity::find().filter(delivery::Column::EventId.eq(id));
    let held: Vec<_> = rows.all(world.app.db.reader()).await.unwrap().iter().map(claims::claim_of).collect();
    let tx = world.app.db.begin().await.unwrap();
    let until = world.app.now() + world.app.settings.lease;
    let renewed = claims::renew(&tx, &held, until).await.unwrap();
    tx.commit().await.unwrap();
    renewed.len()
}

#[rstest]
#[tokio::test]
async fn an_event_that_was_never_attempted_can_be_replayed(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let event = world.test.publish(ISSUED).await;
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    assert_eq!(world.test.replay(&event, None).await["name"], ISSUED);
    world.settle().await;
    assert_eq!(world.test.attempt_statuses(&event).await, ["SUCCESS"]);
}

#[rstest]
#[tokio::test]
async fn unknown_and_foreign_events_are_not_found(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let foreign = world.live.publish(ISSUED).await;
    for event in [foreign.as_str(), "nee_0190163d8694739b8a4f0123456789ab", "", "nonsense"] {
        let not_found = [("NOT_FOUND".to_owned(), "input.notificationEventId".to_owned())];
        assert_eq!(codes(&world.test.replay(event, None).await), not_found, "{event}");
    }
}

#[rstest]
#[tokio::test]
async fn a_ping_shows_whether_a_target_works(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[]).await;
    let input = json!({ "targetId": target });
    let fields = ("NotificationEvent", "id name node { ... on NotificationPingTestEvent { ping } }");
    let event = world.live.call("initiateNotificationPingTest", input.clone(), fields).await;
    assert_eq!(event["name"], Value::Null);
    assert_eq!(event["node"]["ping"], "pong");
    world.settle().await;
    assert_eq!(world.live.attempt_statuses(event["id"].as_str().unwrap()).await, ["SUCCESS"]);

    world.receiver.script("/hook", [Answer::Status(500)]);
    let event = world.live.call("initiateNotificationPingTest", input.clone(), fields).await;
    world.settle().await;
    world.pass(Duration::from_secs(30 * 3_600)).await;
    assert_eq!(world.live.attempt_statuses(event["id"].as_str().unwrap()).await, ["FAILURE"]);
    assert_eq!(world.live.status(&target).await, "ACTIVE", "a failed ping is no reason to deactivate");

    world.live.on_target("deactivateNotificationTarget", &target).await;
    let wrong = codes(&world.live.call("initiateNotificationPingTest", input, fields).await);
    assert_eq!(wrong, [("INVALID_STATE".to_owned(), "input.targetId".to_owned())]);
}
