//! Who is told of a published event (D1, D8), what a notification looks like
//! (W1–W5), and publishing the same thing twice (X1).

use std::time::Duration;

use entity::NotificationEventName;
use receiver::{Answer, Certificate, Protocols, Receiver};
use reprise::rules::signature;
use reqwest::header::HeaderName;
use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use world::api::{id, nodes};
use world::{Api, On, START, World, authority};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

#[rstest]
#[tokio::test]
async fn active_targets_receive_an_event_deactivated_ones_miss_it_others_get_nothing(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let active = world.active_target(&world.test, "/active", &[ISSUED]).await;
    let deactivated = world.active_target(&world.test, "/deactivated", &[ISSUED]).await;
    world.test.on_target("deactivateNotificationTarget", &deactivated).await;
    world.active_target(&world.test, "/unsubscribed", &["PAYMENT_CARD_CLOSED"]).await;
    world.receiver.script("/pending", [receiver::Answer::Status(500)]);
    world.test.add_target(&world.receiver.uri("/pending"), &[ISSUED]).await;
    world.settle().await;
    let before = world.receiver.count("/pending");

    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(world.receiver.count("/active"), 2);
    assert_eq!(world.receiver.count("/deactivated"), 1);
    assert_eq!(world.receiver.count("/unsubscribed"), 1);
    assert_eq!(world.receiver.count("/pending"), before);
    let mut ends: Vec<(String, String)> = Vec::new();
    for attempt in world.test.attempts(&event).await {
        let status = attempt["deliveryAttemptStatus"].as_str().unwrap().to_owned();
        ends.push((id(&attempt["target"]), status));
    }
    ends.sort();
    let mut expected = [(active, "SUCCESS".to_owned()), (deactivated, "SKIPPED".to_owned())];
    expected.sort();
    assert_eq!(ends, expected);
}

#[rstest]
#[tokio::test]
async fn an_event_without_subscribers_has_no_attempts(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let event = world.test.publish(ISSUED).await;
    let fields = "... on NotificationEvent { deliveryAttempts { edges { node { id } } } }";
    assert_eq!(world.test.node(&event, fields).await["deliveryAttempts"], Value::Null);
}

#[rstest]
#[tokio::test]
async fn a_notification_has_the_form_and_the_signature_of_the_contract(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let node = r#"{"z": 1, "a": {"value": 1250, "currencyCode": "USD"}, "text": "é \u0000 \"", "list": []}"#;
    let input: Value = serde_json::from_str(&format!(
        r#"{{"events": [{{"name": "PAYMENT_CARD_ISSUED", "node": {node}}}]}}"#
    ))
    .unwrap();
    let made = world
        .live
        .call("publishNotificationEvents", input, ("PublishedNotificationEvents", "events { id createdAt }"))
        .await;
    world.settle().await;

    let received = world.receiver.received("/hook").remove(1);
    assert_eq!(received.method, "POST");
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("user-agent"), Some("HighnotePlatform/1.0.0"));
    assert_eq!(received.header("highnote-replay"), None);
    let stamp = START.as_millis();
    let expected = format!(
        concat!(
            r#"{{"data":{{"node":{{"__typename":"NotificationEvent","createdAt":"{}","id":"{}","#,
            r#""name":"PAYMENT_CARD_ISSUED","node":{{"__typename":"PaymentCardIssuedEvent","z":1,"#,
            r#""a":{{"value":1250,"currencyCode":"USD"}},"text":"é \u0000 \"","list":[]}}}}}},"#,
            r#""extensions":{{"signatureTimestamp":{}}}}}"#
        ),
        START,
        made["events"][0]["id"].as_str().unwrap(),
        stamp
    );
    assert_eq!(std::str::from_utf8(&received.body).unwrap(), expected);
    let secret = world.live.secrets(&target).await.remove(0);
    let signature = received.header(signature::HEADER).unwrap();
    assert!(signature.len() == 64 && signature.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert!(signature::is_valid(signature, &received.body, &secret));
}

#[rstest]
#[tokio::test]
async fn a_notification_has_these_headers_and_no_others(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let ours = ["content-type", "highnote-signature", "accept", "user-agent"];
    for (protocols, its) in
        [(Protocols::Http1, &["host", "content-length"][..]), (Protocols::Http2, &["content-length"])]
    {
        let receiver = Receiver::start_as(authority(), Certificate::Valid, protocols).await.unwrap();
        let uri = receiver.uri("/hook?a=%20b");
        world.live.add_target(&uri, &[]).await;
        world.settle().await;
        let received = receiver.next("/hook").await;
        let names: Vec<&str> = received.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, [&ours, its].concat(), "{protocols:?}");
        assert_eq!(received.header("accept"), Some("*/*"));
        assert_eq!(received.header("content-length"), Some(received.body.len().to_string().as_str()));
        assert!(received.header("host").is_none_or(|host| uri.contains(&format!("//{host}/"))));
        assert_eq!(received.query.as_deref(), Some("a=%20b"));
    }
}

#[rstest]
#[tokio::test]
async fn every_event_name_can_be_published(#[values(On::Sqlite, On::Postgres)] on: On) {
    use sea_orm::{ActiveEnum, Iterable};
    let Some(world) = World::on(on).await else { return };
    let names: Vec<String> = NotificationEventName::iter()
        .filter(|name| name.is_subscribable())
        .map(|name| name.to_value())
        .collect();
    assert_eq!(names.len(), 248);
    let subscriptions: Vec<&str> = names.iter().map(String::as_str).collect();
    world.active_target(&world.live, "/hook", &subscriptions).await;
    let events: Vec<Value> = names.iter().map(|name| json!({ "name": name, "node": {} })).collect();
    let fields = ("PublishedNotificationEvents", "events { name }");
    let made = world.live.call("publishNotificationEvents", json!({ "events": events }), fields).await;
    let made: Vec<&str> =
        made["events"].as_array().unwrap().iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!(made, subscriptions);
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 1 + 248);
}

#[rstest]
#[tokio::test]
async fn fifty_callers_with_one_idempotency_key_publish_one_event(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let publish = |api: Api| async move {
        let event = json!({ "name": ISSUED, "node": {}, "idempotencyKey": "order-17" });
        let fields = ("PublishedNotificationEvents", "events { id }");
        let made = api.call("publishNotificationEvents", json!({ "events": [event] }), fields).await;
        id(&made["events"][0])
    };
    let calls: Vec<_> = (0..50).map(|_| tokio::spawn(publish(world.test.clone()))).collect();
    let mut ids = Vec::new();
    for call in calls {
        ids.push(call.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 2);

    let other = publish(world.live.clone()).await;
    assert_ne!(other, ids[0], "the key counts in its own environment only");
}

#[rstest]
#[tokio::test]
async fn a_key_used_twice_in_one_call_answers_the_first_event_twice(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let event =
        |key: Value, number: u8| json!({ "name": ISSUED, "node": { "n": number }, "idempotencyKey": key });
    let events = [event("a".into(), 1), event(Value::Null, 2), event("a".into(), 3), event("b".into(), 4)];
    let fields =
        ("PublishedNotificationEvents", "events { id node { ... on GenericNotificationEvent { payload } } }");
    let made = world.test.call("publishNotificationEvents", json!({ "events": events }), fields).await;
    let numbers: Vec<&Value> =
        made["events"].as_array().unwrap().iter().map(|event| &event["node"]["payload"]["n"]).collect();
    assert_eq!(numbers, [1, 2, 1, 4]);
    let list = world.test.ok("{ notificationEvents { edges { node { id } } } }", json!({})).await;
    assert_eq!(nodes(&list["notificationEvents"]).len(), 3);
}

#[rstest]
#[tokio::test]
async fn integrators_publish_in_test_only_and_platforms_for_every_organization(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let (test, live) = world.stranger().await;
    let theirs = world.active_target(&test, "/theirs", &[ISSUED]).await;
    test.publish(ISSUED).await;
    let input = json!({ "events": [{ "name": ISSUED, "node": {} }] });
    assert_eq!(live.codes_of_publishing(input).await, [("ACCESS_DENIED".to_owned(), String::new())]);

    let organization = id(&test.ok("{ organizations { id } }", json!({})).await["organizations"][0]);
    let input = json!({ "organizationId": organization, "events": [{ "name": ISSUED, "node": {} }] });
    let fields = ("PublishedNotificationEvents", "events { id }");
    let made = world.test.call("publishNotificationEvents", input.clone(), fields).await;
    world.settle().await;
    let event = id(&made["events"][0]);
    assert_eq!(id(&test.attempts(&event).await[0]["target"]), theirs);
    assert_eq!(world.test.node(&event, "").await, Value::Null, "the event is the other organization's");

    let mine = id(&world.test.ok("{ organizations { id } }", json!({})).await["organizations"][0]);
    let input = json!({ "organizationId": mine, "events": [{ "name": ISSUED, "node": {} }] });
    let not_found = [("NOT_FOUND".to_owned(), "input.organizationId".to_owned())];
    assert_eq!(test.codes_of_publishing(input).await, not_found);
    let unknown = "org_0190163d8694739b8a4f0123456789ab";
    let input = json!({ "organizationId": unknown, "events": [{ "name": ISSUED, "node": {} }] });
    assert_eq!(world.live.codes_of_publishing(input).await, not_found);
}

#[rstest]
#[tokio::test]
async fn broken_events_are_named_one_by_one_and_nothing_is_published(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let events = json!([
        { "name": ISSUED, "node": {} },
        { "name": ISSUED, "node": [1] },
        { "name": ISSUED, "node": { "__typename": "no name" } },
        { "name": ISSUED, "node": {}, "idempotencyKey": "" },
        { "name": ISSUED, "node": "text", "idempotencyKey": "\u{0}" },
    ]);
    let wrong = world.test.codes_of_publishing(json!({ "events": events })).await;
    let expected = [
        ("INVALID_PAYLOAD", "input.events.1.node"),
        ("INVALID_PAYLOAD", "input.events.2.node"),
        ("INVALID_IDEMPOTENCY_KEY", "input.events.3.idempotencyKey"),
        ("INVALID_PAYLOAD", "input.events.4.node"),
        ("INVALID_IDEMPOTENCY_KEY", "input.events.4.idempotencyKey"),
    ];
    assert_eq!(wrong, expected.map(|(code, path)| (code.to_owned(), path.to_owned())));
    for count in [0, 1_001] {
        let events = vec![json!({ "name": ISSUED, "node": {} }); count];
        let wrong = world.test.codes_of_publishing(json!({ "events": events })).await;
        assert_eq!(wrong, [("INVALID_COUNT".to_owned(), "input.events".to_owned())]);
    }
    let list = world.test.ok("{ notificationEvents { edges { node { id } } } }", json!({})).await;
    assert_eq!(nodes(&list["notificationEvents"]).len(), 0);
}

#[rstest]
#[tokio::test]
async fn an_event_of_a_newer_version_is_listed_and_delivered(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &["PAYMENT_CARD_ISSUED"]).await;
    world.receiver.script("/hook", [Answer::Status(500), Answer::Status(200)]);
    let newer = world.test.publish("PAYMENT_CARD_ISSUED").await;
    world.settle().await;
    let tx = world.app.db.begin().await.unwrap();
    for statement in [
        format!("UPDATE event SET name = 'CARD_TELEPORTED' WHERE id = '{newer}'"),
        format!("INSERT INTO subscription (target_id, event_name) VALUES ('{target}', 'CARD_TELEPORTED')"),
    ] {
        tx.execute_unprepared(&statement).await.unwrap();
    }
    tx.commit().await.unwrap();
    world.pass(Duration::from_secs(5)).await;
    let last = world.receiver.received("/hook").pop().unwrap();
    let body: Value = serde_json::from_slice(&last.body).unwrap();
    assert_eq!(body["data"]["node"]["name"], "CARD_TELEPORTED");
    let query = "{ notificationEvents(filterBy: {}) { edges { node { id name node { __typename } } } } }";
    let events = nodes(&world.test.ok(query, json!({})).await["notificationEvents"]);
    let listed = events.iter().find(|event| event["id"] == json!(newer)).unwrap();
    assert_eq!((events.len(), &listed["name"]), (2, &json!(null)));
    let fields = "... on WebhookNotificationTarget { subscriptions }";
    assert_eq!(world.test.node(&target, fields).await["subscriptions"], json!(["PAYMENT_CARD_ISSUED"]));
}
