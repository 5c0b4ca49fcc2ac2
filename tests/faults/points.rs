//! A failure at each line of the way of an event.

use std::time::Duration;

use fail::FailScenario;
use receiver::Answer;
use rstest::rstest;
use serde_json::{Value, json};

use world::api::nodes;
use world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// Publishes with an idempotency key, and takes what comes.
async fn publish(api: &Api) -> Value {
    let query = "mutation($events: [NotificationEventInput!]!) {
        publishNotificationEvents(input: { events: $events }) {
            ... on PublishedNotificationEvents { events { id } } } }";
    let events = json!([{ "name": ISSUED, "node": {}, "idempotencyKey": "the one" }]);
    api.ask(query, json!({ "events": events })).await.body
}

async fn events(api: &Api) -> usize {
    let query = "{ notificationEvents(filterBy: {name: [PAYMENT_CARD_ISSUED]}) { edges { node { id } } } }";
    nodes(&api.ok(query, json!({})).await["notificationEvents"]).len()
}

fn is_our_failure(body: &Value) -> bool {
    let error = &body["errors"][0];
    assert!(!error.to_string().contains("injected"), "nothing internal is told: {error}");
    error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
}

#[rstest]
#[tokio::test]
async fn before_the_commit_nothing_is_acknowledged_and_nothing_is_stored(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    fail::cfg("before-commit", "1*return->off").unwrap();
    assert!(is_our_failure(&publish(&world.test).await));
    world.settle().await;
    assert_eq!((events(&world.test).await, world.receiver.count("/hook")), (0, 1));
    assert!(publish(&world.test).await["errors"].is_null());
    world.settle().await;
    assert_eq!((events(&world.test).await, world.receiver.count("/hook")), (1, 2));
}

#[rstest]
#[tokio::test]
async fn after_the_commit_it_is_delivered_even_if_nobody_was_told(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    fail::cfg("before-answer", "1*return->off").unwrap();
    assert!(is_our_failure(&publish(&world.test).await));
    world.settle().await;
    // What was claimed as it was recorded is due when the lease ends.
    world.pass(world.app.settings.lease).await;
    assert_eq!((events(&world.test).await, world.receiver.count("/hook")), (1, 2));
    assert!(publish(&world.test).await["errors"].is_null());
    world.settle().await;
    assert_eq!((events(&world.test).await, world.receiver.count("/hook")), (1, 2));
}

#[rstest]
#[tokio::test]
async fn claimed_but_unsent_deliveries_are_sent_when_the_lease_ends(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500), Answer::Status(200)]);
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    fail::cfg("claimed", "1*return->off").unwrap();
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(world.receiver.count("/hook"), 2);
    world.pass(world.app.settings.lease).await;
    assert_eq!(world.receiver.count("/hook"), 3);
    assert_eq!(world.test.attempt_statuses(&event).await, ["FAILURE", "SUCCESS"]);
}

#[rstest]
#[tokio::test]
async fn a_sent_but_unrecorded_notification_is_sent_again_with_the_same_id(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    fail::cfg("sent", "1*return->off").unwrap();
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    world.pass(world.app.settings.lease).await;
    assert_eq!(world.test.attempt_statuses(&event).await, ["SUCCESS"]);
    let received = world.receiver.received("/hook").split_off(1);
    assert_eq!(received.len(), 2);
    for one in received {
        let body: Value = serde_json::from_slice(&one.body).unwrap();
        assert_eq!(body["data"]["node"]["id"], json!(event));
    }
}

#[rstest]
#[tokio::test]
async fn settling_that_fails_half_way_is_done_again_and_counts_once(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    fail::cfg("settling", "3*return->off").unwrap();
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(world.test.attempt_statuses(&event).await, ["FAILURE"]);
    for pause in [5, 15, 45] {
        fail::cfg("settling", "1*return->off").unwrap();
        world.pass(Duration::from_secs(pause)).await;
    }
    assert_eq!(world.test.attempt_statuses(&event).await, ["FAILURE"; 4]);
    assert_eq!(world.test.history(&target).await, ["PENDING_VERIFICATION", "ACTIVE", "DEACTIVATED"]);
}

#[rstest]
#[tokio::test]
async fn publishing_goes_on_while_outcomes_cannot_be_written(#[values(On::Sqlite, On::Postgres)] on: On) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    fail::cfg("settling", "return").unwrap();
    world.test.publish(ISSUED).await;
    // One call may have been about to share a transaction with the outcome, the next has not.
    let tries = [publish(&world.test).await, publish(&world.test).await];
    assert!(tries.iter().any(|body| body["errors"].is_null()), "{tries:?}");
    assert_eq!(events(&world.test).await, 2);
    fail::remove("settling");
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 3);
}
