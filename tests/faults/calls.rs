//! The k-th call of the database fails, for k = 1, 2, 3 … until a whole story
//! passes without meeting the fault. Whatever the call was: nothing is half done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fail::FailScenario;
use rstest::rstest;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};

use crate::own::beside;
use world::api::{ERRORS, id, nodes};
use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// What must never be found, each as the number of rows that break it.
const INVARIANTS: [(&str, &str); 6] = [
    (
        "a target without a signing key",
        "SELECT count(*) AS broken FROM target WHERE id NOT IN (SELECT target_id FROM signing_key)",
    ),
    (
        "a target without a history",
        "SELECT count(*) AS broken FROM target WHERE id NOT IN (SELECT target_id FROM status_change)",
    ),
    (
        "a target with two current keys",
        "SELECT count(*) AS broken FROM (SELECT target_id FROM signing_key WHERE expires_at IS NULL
         GROUP BY target_id HAVING count(*) > 1) AS doubled",
    ),
    (
        "an event that has a delivery in words only",
        "SELECT count(*) AS broken FROM event WHERE is_addressed AND id NOT IN (SELECT event_id FROM delivery)",
    ),
    (
        "a delivery without its event",
        "SELECT count(*) AS broken FROM delivery WHERE event_id NOT IN (SELECT id FROM event)",
    ),
    (
        "a delivery that ended without an attempt",
        "SELECT count(*) AS broken FROM delivery AS d WHERE d.due_at IS NULL AND NOT EXISTS
         (SELECT 1 FROM attempt AS a WHERE a.event_id = d.event_id AND a.target_id = d.target_id)",
    ),
];

#[rstest]
#[tokio::test]
async fn whichever_call_fails_nothing_is_half_done_or_lost(
    #[values(On::Sqlite, On::Postgres)] on: On,
    #[values(Fault::Refused, Fault::Unanswered, Fault::Dropped)] fault: Fault,
) {
    let _faults = FailScenario::setup();
    let Some(calls) = count_calls(on).await else { return };
    assert!(calls > 20, "the story makes many calls, not {calls}");
    let point = fault.point();
    for call in (0..calls).step_by(fault.step()) {
        let Some(world) = World::on(on).await else { return };
        fail::cfg(point, &format!("{call}*off->1*return->off")).unwrap();
        let told = story(&world).await;
        fail::cfg(point, "off").unwrap();
        world.settle().await;
        world.pass(world.app.settings.lease + Duration::from_secs(60)).await;
        let other = beside(&world).await;
        nothing_is_half_done(&other, call).await;
        nothing_is_lost(&world, call).await;
        what_was_told_is_there(&world, &other, told, call).await;
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It is not made.
    Refused,
    /// It is made, and its answer is lost.
    Unanswered,
    /// It is made, and the future that waits for it is dropped.
    Dropped,
}

impl Fault {
    fn point(self) -> &'static str {
        match self {
            Self::Refused => "database",
            Self::Unanswered => "database-answer",
            Self::Dropped => "database-impatience",
        }
    }

    /// A world for every call takes a while; neighbours among them are alike.
    fn step(self) -> usize {
        if self == Self::Refused { 1 } else { 3 }
    }
}

/// What was acknowledged, and what is acknowledged from now on, is there for another connection.
async fn what_was_told_is_there(world: &World, other: &DatabaseConnection, mut told: Told, call: usize) {
    told.events.push(world.test.publish("PAYMENT_CARD_CLOSED").await);
    told.targets.push(world.test.add_target(&world.receiver.uri("/next"), &["PAYMENT_CARD_CLOSED"]).await);
    for (table, ids) in [("event", told.events), ("target", told.targets)] {
        for id in ids {
            let one = format!("SELECT id FROM {table} WHERE id = '{id}'");
            let one = Statement::from_string(other.get_database_backend(), one);
            assert!(other.query_one_raw(one).await.unwrap().is_some(), "call {call} failed: {table} {id}");
        }
    }
}

/// How many calls of the database the story makes when all goes well.
async fn count_calls(on: On) -> Option<usize> {
    let world = World::on(on).await?;
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let callback = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    fail::cfg_callback("database", callback).unwrap();
    story(&world).await;
    fail::cfg("database", "off").unwrap();
    Some(calls.load(Ordering::Relaxed))
}

/// Adds a target, publishes, rotates and replays; each step is tried until it is answered without
/// a failure of the server's, as a client would.
async fn story(world: &World) -> Told {
    let targets = "WebhookNotificationTarget { id }";
    let add = json!({ "name": "A", "uri": world.receiver.uri("/hook"), "subscriptions": [ISSUED] });
    let target = step(world, "addWebhookNotificationTarget", add, targets).await["id"].clone();
    settle_until(world, async || is_active(world, &target).await).await;
    let publish = json!({ "events": [{ "name": ISSUED, "node": {}, "idempotencyKey": "the one" }] });
    let published = "PublishedNotificationEvents { events { id } }";
    let published = step(world, "publishNotificationEvents", publish, published).await;
    // A replay of what was never attempted would be its first attempt, and the only one.
    settle_until(world, async || is_attempted(world, &published["events"][0]).await).await;
    step(world, "rotateNotificationTargetSigningKey", json!({ "targetId": target }), targets).await;
    let replay = json!({ "notificationEventId": published["events"][0]["id"] });
    step(world, "replayNotificationEvent", replay, "NotificationEvent { id }").await;
    world.settle_despite_faults().await;
    Told { events: vec![id(&published["events"][0])], targets: vec![target.as_str().unwrap().to_owned()] }
}

/// What was claimed without anybody hearing of it is due when its lease ends.
async fn settle_until(world: &World, is_done: impl AsyncFn() -> bool) {
    world.settle_despite_faults().await;
    while !is_done().await {
        world.clock.advance(world.app.settings.lease);
        world.settle_despite_faults().await;
    }
}

async fn is_attempted(world: &World, event: &Value) -> bool {
    let query = "query($id: ID!) { node(id: $id) { ... on NotificationEvent {
        deliveryAttempts { edges { node { id } } } } } }";
    let answer = world.test.ask(query, json!({ "id": event["id"] })).await;
    answer.body["data"]["node"]["deliveryAttempts"]["edges"] != json!([]) && answer.body["errors"].is_null()
}

async fn is_active(world: &World, target: &Value) -> bool {
    let query = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget { status } } }";
    world.test.ask(query, json!({ "id": target })).await.body["data"]["node"]["status"] == "ACTIVE"
}

/// The ids of what was acknowledged.
struct Told {
    events: Vec<String>,
    targets: Vec<String>,
}

async fn step(world: &World, mutation: &str, input: Value, answers: &str) -> Value {
    let type_name = mutation[..1].to_uppercase() + &mutation[1..];
    let query = format!(
        "mutation($input: {type_name}Input!) {{ {mutation}(input: $input) {{ ... on {answers} {ERRORS} }} }}"
    );
    loop {
        let answer = world.test.ask(&query, json!({ "input": input })).await;
        if answer.body["errors"].is_null() && answer.status == 200 {
            return answer.body["data"][mutation].clone();
        }
    }
}

async fn nothing_is_half_done(db: &DatabaseConnection, call: usize) {
    for (what, query) in INVARIANTS {
        let statement = Statement::from_string(db.get_database_backend(), query);
        let broken: i64 = db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "broken").unwrap();
        assert_eq!(broken, 0, "call {call} failed: {what}");
    }
}

/// The event exists once, was received, and every target got its activation.
async fn nothing_is_lost(world: &World, call: usize) {
    let query = "{ notificationEvents(filterBy: {name: [PAYMENT_CARD_ISSUED]}) { edges { node { id
        deliveryAttempts { edges { node { deliveryAttemptStatus } } } } } }
        organizations { webhookNotificationTargets { edges { node { status } } } } }";
    let answer = world.test.ok(query, json!({})).await;
    let events = nodes(&answer["notificationEvents"]);
    assert_eq!(events.len(), 1, "call {call} failed: the event is there once");
    let attempts = nodes(&events[0]["deliveryAttempts"]);
    assert!(attempts.len() >= 2, "call {call} failed: delivered and replayed, not {attempts:?}");
    for target in nodes(&answer["organizations"][0]["webhookNotificationTargets"]) {
        assert_eq!(target["status"], "ACTIVE", "call {call} failed");
    }
}
