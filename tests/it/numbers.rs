//! Numbers of payloads arrive as they were published: at the receiver and in the API's answers.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use rstest::rstest;
use serde_json::{Value, json};

use world::api::{codes, id};
use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const PUBLISH: &str = "mutation($events: [NotificationEventInput!]!) { \
    publishNotificationEvents(input: {events: $events}) { ... on PublishedNotificationEvents { events { id } } } }";

/// Numbers that somebody has stumbled over.
const KNOWN: [&str; 18] = [
    "0",
    "-0",
    "-0.0",
    "1.10",
    "1.0",
    "117.39092358081507",
    "123456789.123456789",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "0.1000000000000000055511151231257827021181583404541015625",
    "1e-400",
    "1E400",
    "1.7976931348623157e308",
    "5e-324",
    "2.2250738585072011e-308",
    "9007199254740993",
];

fn number() -> impl Strategy<Value = String> {
    let finite = any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite());
    prop_oneof![
        finite.clone().prop_map(|number| format!("{number:?}")),
        finite.prop_map(|number| format!("{number}")),
        any::<i128>().prop_map(|number| number.to_string()),
        (-1e9..1e9).prop_map(|number: f64| number.to_string()),
        string_regex("-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,60})?([eE][+-]?[0-9]{1,5})?").unwrap(),
        proptest::sample::select(&KNOWN[..]).prop_map(str::to_owned),
    ]
}

/// A payload of numbers on several floors.
fn payload() -> impl Strategy<Value = String> {
    let three = || proptest::collection::vec(number(), 3);
    (three(), three(), number()).prop_map(|(list, nested, one)| {
        let (list, nested) = (list.join(","), nested.join(","));
        format!(r#"{{"__typename":"Numbers","one":{one},"list":[{list}],"of":{{"list":[[{nested}]]}}}}"#)
    })
}

fn payloads(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let mut payloads: Vec<String> =
        (1..count).map(|_| payload().new_tree(&mut runner).unwrap().current()).collect();
    payloads.push(format!(r#"{{"__typename":"Numbers","known":[{}]}}"#, KNOWN.join(",")));
    payloads
}

/// The same numbers, of which those with an exponent are written as the server writes them.
fn written(json: &str) -> String {
    let mut written = String::new();
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        let is_exponent =
            matches!(character, 'e' | 'E') && written.ends_with(|last: char| last.is_ascii_digit());
        written.push(if is_exponent { 'e' } else { character });
        if is_exponent && characters.peek().is_some_and(char::is_ascii_digit) {
            written.push('+');
        }
    }
    written
}

async fn assert_told_as_published(world: &World, ids: &[String], payloads: &[String]) {
    world.settle().await;
    let bodies: Vec<String> = world.receiver.take("/hook").iter().map(text_of).collect();
    let query = "query($id: ID!) { node(id: $id) { ... on NotificationEvent { \
        node { ... on GenericNotificationEvent { payload } } } } }";
    for (id, payload) in ids.iter().zip(payloads) {
        let payload = written(payload);
        let body = bodies.iter().find(|body| body.contains(id)).unwrap();
        assert!(body.contains(&format!(r#""node":{payload}}}}},"extensions""#)), "{body}\n{payload}");
        let answer = world.test.post_text(query, &json!({ "id": id }).to_string()).await;
        assert!(answer.contains(&format!(r#""payload":{payload}}}"#)), "{answer}\n{payload}");
    }
}

fn text_of(received: &receiver::Received) -> String {
    String::from_utf8(received.body.to_vec()).unwrap()
}

fn ids(answer: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let events = answer["data"]["publishNotificationEvents"]["events"].as_array();
    events.unwrap_or_else(|| panic!("{answer}")).iter().map(id).collect()
}

#[rstest]
#[tokio::test]
async fn numbers_of_variables_keep_their_digits(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let payloads = payloads(100);
    let events: Vec<String> =
        payloads.iter().map(|node| format!(r#"{{"name":"{ISSUED}","node":{node}}}"#)).collect();
    let variables = format!(r#"{{"events":[{}]}}"#, events.join(","));
    let ids = ids(&world.test.post_text(PUBLISH, &variables).await);
    assert_told_as_published(&world, &ids, &payloads).await;
}

#[rstest]
#[tokio::test]
async fn numbers_of_literals_keep_their_digits(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let mut published = Vec::new();
    let payloads = payloads(20);
    for payload in &payloads {
        // Keys stand without quotes there, and nothing else of these payloads has any but the type's name.
        let mut node = payload.replace(r#""Numbers""#, "Numbers");
        node.retain(|character| character != '"');
        let events = format!("[{{name: {ISSUED}, node: {node}}}]");
        let query = PUBLISH.replace("($events: [NotificationEventInput!]!)", "").replace("$events", &events);
        published.extend(ids(&world.test.post_text(&query, "{}").await));
    }
    assert_told_as_published(&world, &published, &payloads).await;
}

#[tokio::test]
async fn a_name_that_libraries_use_for_numbers_is_a_name() {
    let Some(world) = World::on(On::Sqlite).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let payloads = ["Number", "RawValue"]
        .map(|name| format!(r#"{{"__typename":"Numbers","a":{{"$serde_json::private::{name}":"[1.50]"}}}}"#));
    let mut published = Vec::new();
    for payload in &payloads {
        let variables = format!(r#"{{"events":{{"name":"{ISSUED}","node":{payload}}}}}"#);
        published.extend(ids(&world.test.post_text(PUBLISH, &variables).await));
    }
    assert_told_as_published(&world, &published, &payloads).await;
}

#[tokio::test]
async fn a_number_is_as_long_as_a_payload_may_be() {
    let Some(world) = World::on(On::Sqlite).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let payload = |digits: usize| format!(r#"{{"__typename":"Numbers","v":0.{}}}"#, "7".repeat(digits));
    let room = reprise::rules::limits::PAYLOAD_BYTES - payload(0).len();
    let variables = |node: &str| format!(r#"{{"events":[{{"name":"{ISSUED}","node":{node}}}]}}"#);
    let longest = payload(room);
    let made = ids(&world.test.post_text(PUBLISH, &variables(&longest)).await);
    assert_told_as_published(&world, &made, &[longest]).await;
    let input: Value = serde_json::from_str(&variables(&payload(room + 1))).unwrap();
    let refused =
        world.test.call("publishNotificationEvents", input, ("PublishedNotificationEvents", "events { id }"));
    assert_eq!(codes(&refused.await)[0].0, "INVALID_PAYLOAD");
}
