//! Receivers whose server takes few requests over one connection: a real nginx. What it did not read
//! is no attempt. And connections that become old.
//!
//! That is all between two sockets, so SQLite will do.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use world::api::nodes;
use world::nginx::{self, Nginx};
use world::{On, World, authority};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const EVENTS: usize = 600;

/// All attempts at a target.
async fn attempts(world: &World, target: &str) -> Vec<Value> {
    let (mut attempts, mut after) = (Vec::new(), Value::Null);
    let query = "query($id: ID!, $after: String) { node(id: $id) { ... on WebhookNotificationTarget {
        deliveryAttempts(first: 200, after: $after) {
            edges { node { deliveryAttemptStatus } } pageInfo { endCursor hasNextPage } } } } }";
    loop {
        let mut page = world.live.ok(query, json!({ "id": target, "after": after })).await;
        let page = page["node"]["deliveryAttempts"].take();
        attempts.extend(nodes(&page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return attempts;
        }
    }
}

#[rstest]
#[case::few_over_http_2("ssl http2", "keepalive_requests 7;")]
#[case::one_over_http_2("ssl http2", "keepalive_requests 1;")]
#[case::few_and_slowly("ssl http2", "keepalive_requests 7; http2_max_concurrent_streams 2;")]
#[case::few_over_http_1("ssl", "keepalive_requests 7;")]
#[tokio::test]
async fn requests_not_read_before_a_goodbye_are_no_attempts(#[case] listen: &str, #[case] settings: &str) {
    let address = nginx::address();
    let identity = authority().identity(&[&address.ip().to_string()]);
    let Some(nginx) = Nginx::start(address, listen, identity, settings).await else { return };
    // Nothing here is about time, and the machine may be slow.
    let world = World::with(On::Sqlite, |settings| settings.outbound.deadline = Duration::from_secs(120));
    let world = world.await.unwrap();
    let target = world.live.add_target(&nginx.uri(), &[ISSUED]).await;
    world.settle().await;
    assert_eq!(world.live.status(&target).await, "ACTIVE");
    world.live.publish_many(ISSUED, EVENTS).await;
    world.settle().await;
    let attempts = attempts(&world, &target).await;
    assert_eq!(attempts, vec![json!({ "deliveryAttemptStatus": "SUCCESS" }); 1 + EVENTS]);
    assert_eq!(world.live.status(&target).await, "ACTIVE");
    // Each once, and none twice.
    let answered = nginx.answered();
    assert_eq!(answered.iter().filter(|line| line.starts_with("200 ")).count(), 1 + EVENTS);
    assert_eq!(answered.len(), 1 + EVENTS);
}

#[tokio::test]
async fn a_busy_connection_is_left_when_it_is_old() {
    let world =
        World::with(On::Sqlite, |settings| settings.outbound.connection_age = Duration::from_millis(30));
    let world = world.await.unwrap();
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    while world.receiver.connections() < 5 {
        world.live.publish(ISSUED).await;
        world.settle().await;
    }
}
