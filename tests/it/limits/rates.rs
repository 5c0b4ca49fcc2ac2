//! What an organization may ask for in ten seconds (G12).

use std::time::Duration;

use reprise::app::Settings;
use reprise::quota::limits::Rate;
use rstest::rstest;
use serde_json::{Value, json};

use super::{ISSUED, PING, limited, post};
use world::{On, World};

const WINDOW: Duration = Duration::from_secs(10);

fn rate_limit(body: &Value) -> &Value {
    &body["extensions"]["rateLimit"]
}

#[rstest]
#[tokio::test]
async fn requests_of_an_organization_are_limited_per_ten_seconds(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, limited).await else { return };
    let (_, their_live) = world.stranger().await;
    for (api, requests, used) in [(&world.test, 100, 1), (&world.live, 200, 0), (&their_live, 200, 0)] {
        for request in used + 1..=requests {
            let answer = api.ask(PING, json!({})).await;
            assert_eq!(answer.status, 200);
            let count = json!({ "limit": requests, "remaining": requests - request });
            assert_eq!(rate_limit(&answer.body)["count"], count);
        }
        let refused = api.ask(PING, json!({})).await;
        assert_eq!((refused.status, &refused.body["data"]), (429, &Value::Null));
        assert_eq!(refused.body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
        let told = rate_limit(&refused.body);
        assert_eq!(
            (&told["limit"], &told["remaining"], &told["retryAfter"]),
            (&json!(requests), &json!(0), &json!(10))
        );
        assert_eq!(told["cost"], Value::Null);
    }
    world.clock.advance(WINDOW);
    world.test.ok(PING, json!({})).await;
}

#[tokio::test]
async fn points_of_an_organization_are_limited_per_ten_seconds() {
    let world = World::with(On::Sqlite, limited).await.unwrap();
    let costly =
        "{ notificationEvents(first: 200) { edges { node { id node { __typename } organization: __typename
        deliveryAttempts(first: 1) { pageInfo { endCursor } } } } } }";
    let first = world.test.ask(costly, json!({})).await;
    let cost = rate_limit(&first.body)["cost"].as_u64().unwrap();
    assert!((200..=2_500).contains(&cost), "{cost}");
    let mut left = 2_500 - cost;
    world.clock.advance(Duration::from_millis(2_500));
    while left >= cost {
        left -= cost;
        let answer = world.test.ask(costly, json!({})).await;
        assert_eq!(rate_limit(&answer.body)["complexity"], json!({ "limit": 2_500, "remaining": left }));
    }
    let refused = world.test.ask(costly, json!({})).await;
    assert_eq!(refused.status, 429);
    let told = rate_limit(&refused.body);
    assert_eq!(
        (&told["limit"], &told["remaining"], &told["retryAfter"]),
        (&json!(2_500), &json!(left), &json!(8))
    );
    // What is cheap still goes.
    world.test.ok(PING, json!({})).await;
    world.live.ok(costly, json!({})).await;
    world.clock.advance(Duration::from_millis(7_500));
    world.test.ok(costly, json!({})).await;
}

#[tokio::test]
async fn costs_beyond_the_whole_rate_are_refused_without_a_retry_time() {
    let world = World::with(On::Sqlite, limited).await.unwrap();
    let query = "{ notificationEvents(first: 200) { edges { node { deliveryAttempts(first: 20) { edges { node { id } } } } } } }";
    assert_eq!(world.live.ask(query, json!({})).await.status, 200);
    let (status, message, code) = world.test.error(query, json!({})).await;
    assert_eq!((status, code.as_str()), (400, "GRAPHQL_VALIDATION_FAILED"), "{message}");
    assert!(message.contains("2500"), "{message}");
}

#[tokio::test]
async fn refused_mutations_change_nothing() {
    let one = |settings: &mut Settings| settings.limits.api = Some(Rate { requests: 1_000, points: 40 });
    let world = World::with(On::Sqlite, one).await.unwrap();
    let input = json!({ "input": { "secretKey": { "name": "x" } } });
    let create =
        "mutation($input: CreateSecretAPIKeyInput!) { createSecretAPIKey(input: $input) { __typename } }";
    let mut made = 0;
    while world.test.ask(create, input.clone()).await.status == 200 {
        made += 1;
    }
    assert_eq!(made, 2);
    world.clock.advance(WINDOW);
    let list = "{ organizations { apiKeys(first: 5) { edges { node { id } } } } }";
    let keys = world.test.ok(list, json!({})).await["organizations"][0]["apiKeys"]["edges"].take();
    assert_eq!(keys.as_array().unwrap().len(), 1 + made);
}

#[tokio::test]
async fn publishing_has_a_rate_of_its_own() {
    let change = |settings: &mut Settings| {
        settings.limits.api = Some(Rate { requests: 2, points: 100 });
        settings.limits.publishing = Some(Rate { requests: 3, points: 100 });
    };
    let world = World::with(On::Sqlite, change).await.unwrap();
    world.test.ok(PING, json!({})).await;
    assert_eq!(world.test.ask(PING, json!({})).await.status, 429);
    world.test.publish_many(ISSUED, 30).await;
    world.test.publish_many(ISSUED, 30).await;
    let event = json!({ "name": ISSUED, "node": {} });
    let publish = "mutation($e: [NotificationEventInput!]!) { publishNotificationEvents(input: { events: $e }) { __typename } }";
    let many = world.test.ask(publish, json!({ "e": vec![event.clone(); 30] })).await;
    assert_eq!(many.status, 429, "an event costs a point");
    let too_many = world.test.ask(publish, json!({ "e": vec![event; 100] })).await;
    assert_eq!(too_many.status, 429, "there are no requests left");
    // To speak of publishing is not publishing.
    world.clock.advance(WINDOW);
    let spoken = "{ ping } # publishNotificationEvents";
    world.test.ok(spoken, json!({})).await;
    assert_eq!(world.test.ask(spoken, json!({})).await.status, 429);
    let mixed = "mutation { publishNotificationEvents(input: { events: [] }) { __typename } activate: activateNotificationTarget(input: { targetId: \"x\" }) { __typename } }";
    assert_eq!(world.test.ask(mixed, json!({})).await.status, 429);
}

#[tokio::test]
async fn every_answer_to_a_caller_shows_the_rate_limit_and_none_to_a_stranger() {
    let world = World::with(On::Sqlite, limited).await.unwrap();
    for (media_type, body, status) in [
        ("application/json", r#"{"query": "{ ping }"}"#.to_owned(), 200),
        (
            "application/json",
            r#"{"query": "{ notificationEvents(first: 0) { edges { cursor } } }"}"#.to_owned(),
            200,
        ),
        ("application/json", r#"{"query": "{ nothing }"}"#.to_owned(), 400),
        ("application/json", r#"{"query": "{"}"#.to_owned(), 400),
        ("application/json", "{".to_owned(), 400),
        ("text/plain", "{}".to_owned(), 415),
        ("application/json", " ".repeat(5_000_000), 413),
    ] {
        let (answered, _, body) = post(&world.test, media_type, body).await;
        assert_eq!(answered, status);
        assert!(rate_limit(&body)["remaining"].is_u64(), "{body}");
        assert!(rate_limit(&body)["limit"].is_u64(), "{body}");
    }
    let stranger = world.test.with_key("sk_test_x").ask(PING, json!({})).await;
    assert_eq!((stranger.status, rate_limit(&stranger.body)), (401, &Value::Null));
    let free = World::on(On::Sqlite).await.unwrap();
    assert_eq!(*rate_limit(&free.test.ask(PING, json!({})).await.body), Value::Null);
}

#[tokio::test]
async fn the_wait_is_in_the_header_too() {
    let one = |settings: &mut Settings| settings.limits.api = Some(Rate { requests: 1, points: 10 });
    let world = World::with(On::Sqlite, one).await.unwrap();
    let ping = || post(&world.test, "application/json", r#"{"query": "{ ping }"}"#.to_owned());
    assert_eq!(ping().await.1, None);
    world.clock.advance(Duration::from_millis(3_001));
    assert_eq!(ping().await.1.as_deref(), Some("7"));
}
