//! Documents that ask for too much are refused before they cost anything, and odd texts act the
//! same on both databases.

use std::fmt::Write as _;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use world::graph::Graph;
use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// Fragments, each of which spreads the next one twice: 932 bytes that stand for millions of fields.
fn bomb() -> String {
    let mut document = "{ ...f0 }".to_owned();
    for link in 0..24 {
        write!(document, " fragment f{link} on Query{{ ...f{0} ...f{0} }}", link + 1).unwrap();
    }
    document + " fragment f24 on Query { ping }"
}

fn many(number: usize, part: impl Fn(usize) -> String) -> String {
    (0..number).map(part).collect()
}

#[tokio::test]
async fn documents_beyond_the_limits_are_refused_at_once() {
    let world = World::on(On::Sqlite).await.unwrap();
    let nested = |open: &str| format!("{{ node(id: {}", open.repeat(60_000 / open.len()));
    let literal =
        |depth: usize| format!("{{ node(id: {}{}) {{ id }} }}", "[".repeat(depth), "]".repeat(depth));
    for document in [
        bomb(),
        "{ a ".repeat(15_000),
        "{ ... ".repeat(10_000),
        nested("["),
        nested("{a:"),
        nested("[\"]\","),
        literal(500),
        literal(20_000),
        format!("query($a: {}ID{}) {{ ping }}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("query($a: ID = {}1{}) {{ ping }}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{{ {} }}", "ping ".repeat(2_001)),
        format!("{{ {} }}", "__typename ".repeat(5_000)),
        format!("{{ {} }}", many(101, |i| format!("a{i}: ping "))),
        many(51, |i| format!("query q{i} {{ ping }} ")),
        format!("{{ ping {} }}", many(201, |i| format!("...f{i} ")) + &many(201, |i| format!("fragment f{i} on Query {{ ping }} "))),
        format!("{{ ping {} }}", "@include(if: true) ".repeat(201)),
        format!("query({}) {{ ping }}", many(201, |i| format!("$v{i}: ID "))),
        format!("{{ node({}) {{ id }} }}", many(51, |i| format!("a{i}: 1 "))),
        format!("{{ node(id: [{}]) {{ id }} }}", "1 ".repeat(2_001)),
        "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }".to_owned(),
        format!("{{ __schema {{ types {{ fields {{ type {{ {} }} }} }} }} }}", many(100, |i| format!("a{i}: enumValues {{ name description }} "))),
        format!("{{ {} }}", many(9_000, |_| "zzzzzz ".to_owned())),
        format!("{{ {} }}", "z".repeat(60_000)),
        format!("{{ {} }}", many(600, |i| format!("{}{i} ", "z".repeat(90)))),
        format!("{{ {} }}", many(1_900, |i| format!("notificationEvent{i}(first: 1) "))),
        format!("{{ ping # {}", "[".repeat(60_000)),
        "{ ping }\0".to_owned(),
    ] {
        // Nobody waits for what such a document stands for: that would take hours.
        let answer = tokio::time::timeout(Duration::from_secs(60), world.test.ask(&document, json!({})));
        let answer = answer.await.unwrap_or_else(|_| panic!("{document:.100}"));
        assert_eq!(answer.status, 400, "{document:.100}");
        let body = answer.body.to_string();
        assert!(body.len() < 50_000, "{document:.100}: {body:.300}");
    }
    let long = world.test.ask(&format!("{{ ping }} # {}", "x".repeat(64 * 1_024)), json!({})).await;
    assert_eq!(long.status, 413);
}

#[tokio::test]
async fn documents_at_the_limits_are_answered() {
    let world = World::on(On::Sqlite).await.unwrap();
    for document in [
        format!("{{ {} }}", "ping ".repeat(2_000)),
        format!("{{ {} }}", many(100, |i| format!("a{i}: ping "))),
        format!("{{ ping }} # {}", "[".repeat(60_000)),
        format!("{{ node(id: \"{}\") {{ id }} }}", "[".repeat(60_000)),
        include_str!("../../src/server/document/expansion/introspection.graphql").to_owned(),
    ] {
        let answer = world.test.ask(&document, json!({})).await;
        assert_eq!((answer.status, &answer.body["errors"]), (200, &Value::Null), "{document:.100}");
    }
}

#[tokio::test]
async fn variables_have_a_depth_and_their_lists_a_length() {
    let world = World::on(On::Sqlite).await.unwrap();
    let publish =
        "mutation($e: [NotificationEventInput!]!) { publishNotificationEvents(input: { events: $e }) {
        __typename ... on UserError { errors { code } } } }";
    let event = json!({ "name": ISSUED, "node": {} });
    let few = world.test.ok(publish, json!({ "e": vec![event.clone(); 1_001] })).await;
    assert_eq!(few["publishNotificationEvents"]["errors"][0]["code"], "INVALID_COUNT");
    let (status, message, _) = world.test.error(publish, json!({ "e": vec![event; 2_001] })).await;
    assert_eq!(status, 400, "{message}");
    for (depth, status) in [(100, 200), (130, 400), (100_000, 400)] {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        let body = format!(
            r#"{{"query": {publish:?}, "variables": {{"e": [{{"name": "{ISSUED}", "node": {deep}}}]}}}}"#
        );
        let body = body.replace('\n', " ");
        let request = world.test.client().post(world.test.at("/graphql")).body(body);
        let request = request.header("authorization", world.test.authorization());
        let answer = request.header("content-type", "application/json").send().await.unwrap();
        assert_eq!(answer.status(), status, "{depth}");
    }
}

/// What every mutation answers when all texts of its input have a NUL in them.
async fn with_nul(world: &World) -> Vec<String> {
    let graph = Graph::of(&world.live).await;
    let mut answers = Vec::new();
    for (mutation, input) in graph.mutations() {
        let value = graph.input(input, &|_, ty| match ty {
            "Int" => json!(1),
            "Boolean" => json!(true),
            "JSON" => json!({ "text": "a\0b" }),
            _ => json!("a\0b"),
        });
        let query = format!(
            "mutation($input: {input}!) {{ {mutation}(input: $input) {{ __typename
             ... on UserError {{ errors {{ code errorPath }} }} ... on AccessDeniedError {{ message }} }} }}"
        );
        let mut answer = world.live.ask(&query, json!({ "input": value })).await;
        assert_eq!(answer.status, 200, "{mutation}: {}", answer.body);
        let data = answer.body["data"].take();
        assert!(answer.body["errors"].is_null() && data.is_object(), "{mutation}: {}", answer.body);
        answers.push(data.to_string());
    }
    answers
}

#[tokio::test]
async fn nul_acts_the_same_on_both_databases() {
    let mut answers = Vec::new();
    for on in [On::Sqlite, On::Postgres] {
        let Some(world) = World::on(on).await else { return };
        answers.push(with_nul(&world).await);
        for query in [
            "query($t: ID!) { node(id: $t) { id } }",
            "query($t: String!) { notificationEvents(after: $t) { edges { cursor } } }",
            "query($t: String) { notificationEvents(filterBy: { createdAt: { equals: $t } }) { edges { cursor } } }",
        ] {
            let answer = world.test.ask(query, json!({ "t": "nee_\0" })).await;
            assert!([200, 400].contains(&answer.status), "{query}: {}", answer.body);
            assert_ne!(answer.body["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR", "{query}");
        }
        let literal = world.test.ask("{ node(id: \"a\\u0000b\") { id } }", json!({})).await;
        assert_eq!((literal.status, &literal.body["data"]["node"]), (200, &Value::Null));
    }
    assert_eq!(answers[0], answers[1]);
}

#[rstest]
#[tokio::test]
async fn a_payload_may_hold_any_text(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let node = json!({ "text": "a\0b \u{fffd} \u{10ffff} \u{202e} \u{1b}[2J </script>" });
    let input = json!({ "events": [{ "name": ISSUED, "node": node }] });
    let fields =
        ("PublishedNotificationEvents", "events { node { ... on GenericNotificationEvent { payload } } }");
    let published = world.test.call("publishNotificationEvents", input, fields).await;
    assert_eq!(published["events"][0]["node"]["payload"]["text"], node["text"]);
    world.settle().await;
    let received = world.receiver.received("/hook");
    let body: Value = serde_json::from_slice(&received.last().unwrap().body).unwrap();
    assert_eq!(body["data"]["node"]["node"]["text"], node["text"], "{target}");
}

#[tokio::test]
async fn an_answer_does_not_hold_one_payload_many_times() {
    let world = World::on(On::Sqlite).await.unwrap();
    let input = json!({ "events": [{ "name": ISSUED, "node": { "text": "x".repeat(250_000) } }] });
    let published =
        world.test.call("publishNotificationEvents", input, ("PublishedNotificationEvents", "events { id }"));
    let id = published.await["events"][0]["id"].clone();
    let ask = |times: usize| {
        let payloads = many(times, |i| format!("a{i}: payload "));
        format!(
            "query($id: ID!) {{ node(id: $id) {{ ... on NotificationEvent {{ id node {{ ... on GenericNotificationEvent {{ {payloads} }} }} }} }} }}"
        )
    };
    let once = world.test.ok(&ask(2), json!({ "id": id })).await;
    assert_eq!(once["node"]["node"]["a1"]["text"].as_str().unwrap().len(), 250_000);
    let answer = world.test.ask(&ask(90), json!({ "id": id })).await;
    assert_eq!((answer.status, &answer.body["data"]["node"]["node"]), (200, &Value::Null));
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(answer.body["data"]["node"]["id"], id);
}
