//! What a database in trouble must not break, whatever the trouble is.

use std::time::Duration;

use receiver::{Answer, Gate};
use serde_json::{Value, json};

use world::{Api, World};

pub(crate) const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// The status of `/readyz`.
pub(crate) async fn readiness(api: &Api) -> u16 {
    api.client().get(api.at("/readyz")).send().await.unwrap().status().as_u16()
}

/// Waits until `/readyz` answers so.
pub(crate) async fn becomes(api: &Api, status: u16) {
    while readiness(api).await != status {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Publishes, and takes what comes: the ids of the events, or why there are none.
pub(crate) async fn publish(api: &Api, events: &[Value]) -> Result<Vec<String>, Value> {
    let query = "mutation($events: [NotificationEventInput!]!) {
        publishNotificationEvents(input: { events: $events }) {
            ... on PublishedNotificationEvents { events { id } } } }";
    let answer = api.ask(query, json!({ "events": events })).await.body;
    let published = answer["data"]["publishNotificationEvents"]["events"].as_array();
    let ids = published.map(|events| events.iter().map(world::api::id).collect());
    ids.ok_or(answer)
}

/// An answer that says that it is our fault, and by which id it is found in the log; and nothing more.
pub(crate) fn is_clean(answer: &Value) {
    let text = answer.to_string().to_lowercase();
    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap();
    assert!(["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"].contains(&code), "{text}");
    assert_eq!(answer["extensions"]["requestId"].as_str().map(str::len), Some(32), "{text}");
    for inside in ["sql", "database", "connection", "disk", "lock", "read-only", "readonly", "pool", "time"] {
        assert!(!text.contains(inside), "{inside:?} is told: {text}");
    }
}

/// What was in flight when the trouble began is delivered and recorded; meanwhile callers are told
/// cleanly, and so is whoever watches; afterwards everything goes on by itself.
pub(crate) async fn endure(world: &World, trouble: impl AsyncFnOnce(), heal: impl AsyncFnOnce()) {
    endure_refusing(world, &[json!({ "name": ISSUED, "node": {} })], trouble, heal).await;
}

/// The same, in a trouble that only these events meet.
pub(crate) async fn endure_refusing(
    world: &World,
    events: &[Value],
    trouble: impl AsyncFnOnce(),
    heal: impl AsyncFnOnce(),
) {
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.next("/hook").await;
    let gate = Gate::new();
    world.receiver.script("/hook", [Answer::Held(gate.clone()), Answer::Status(200)]);
    let in_flight = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    assert_eq!(readiness(&world.test).await, 200);

    trouble().await;
    gate.open();
    let refused = publish(&world.test, events).await;
    is_clean(&refused.unwrap_err());
    becomes(&world.test, 503).await;

    heal().await;
    becomes(&world.test, 200).await;
    world.settle_despite_faults().await;
    assert_eq!(world.test.attempt_statuses(&in_flight).await, ["SUCCESS"]);
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(world.test.attempt_statuses(&event).await, ["SUCCESS"]);
}
