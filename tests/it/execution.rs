//! What a document asks for is done once and answered as the specification says, however it is written.

use reprise::app::Settings;
use reprise::quota::limits::Rate;
use rstest::rstest;
use serde_json::{Value, json};

use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// Every way to ask for one key of the answer twice.
fn twice(field: &str) -> [String; 5] {
    [
        format!("mutation {{ a: {field} {{ __typename }} a: {field} {{ __typename }} }}"),
        format!(
            "mutation {{ a: {field} {{ __typename }} ... {{ a: {field} {{ ... on UserError {{ errors {{ code }} }} }} }} }}"
        ),
        format!(
            "mutation {{ a: {field} {{ __typename }} ... on Mutation {{ a: {field} {{ __typename }} }} }}"
        ),
        format!(
            "mutation {{ ...F a: {field} {{ __typename }} }} fragment F on Mutation {{ a: {field} {{ __typename }} }}"
        ),
        format!(
            "mutation {{ ...F ...G }} fragment F on Mutation {{ a: {field} {{ ...U }} ...G }}
             fragment G on Mutation {{ a: {field} {{ __typename ...U }} }}
             fragment U on UserError {{ errors {{ code }} }}"
        ),
    ]
}

async fn count(world: &World, list: &str) -> usize {
    let query = format!("{{ organizations {{ {list} {{ edges {{ cursor }} }} }} }}");
    let edges = world.test.ok(&query, json!({})).await["organizations"][0].take();
    edges.as_object().unwrap().values().next().unwrap()["edges"].as_array().unwrap().len()
}

#[rstest]
#[tokio::test]
async fn a_mutation_of_one_key_is_carried_out_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let add = format!(
        "addWebhookNotificationTarget(input: {{name: \"t\", uri: \"https://example.com/\", subscriptions: [{ISSUED}]}})"
    );
    let create = "createSecretAPIKey(input: {secretKey: {name: \"k\"}})".to_owned();
    let publish = format!("publishNotificationEvents(input: {{events: [{{name: {ISSUED}, node: {{}}}}]}})");
    let keys = count(&world, "apiKeys(first: 200)").await;
    for (field, list) in [(&add, "webhookNotificationTargets(first: 200)"), (&create, "apiKeys(first: 200)")]
    {
        let before = count(&world, list).await;
        for (made, query) in twice(field).iter().enumerate() {
            let data = world.test.ok(query, json!({})).await;
            assert!(data["a"]["__typename"].is_string(), "{query}: {data}");
            assert_eq!(count(&world, list).await, before + made + 1, "{query}");
        }
    }
    assert_eq!(count(&world, "apiKeys(first: 200)").await, keys + 5);
    let mine = format!(
        "{{ notificationEvents(first: 200, filterBy: {{name: {ISSUED}}}) {{ edges {{ cursor }} }} }}"
    );
    for (made, query) in twice(&publish).iter().enumerate() {
        let answer = world.test.ask(query, json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let events = world.test.ok(&mine, json!({})).await;
        assert_eq!(events["notificationEvents"]["edges"].as_array().unwrap().len(), made + 1, "{query}");
    }
}

#[tokio::test]
async fn different_keys_are_different_calls_and_conflicting_ones_are_refused() {
    let world = World::on(On::Sqlite).await.unwrap();
    let create = |key: &str, name: &str| {
        format!(
            "{key}: createSecretAPIKey(input: {{secretKey: {{name: \"{name}\"}}}}) {{ ... on APIKey {{ name }} }}"
        )
    };
    let query = format!("mutation {{ {} ... {{ {} }} }}", create("a", "one"), create("b", "two"));
    let data = world.test.ok(&query, json!({})).await;
    assert_eq!(data, json!({ "a": { "name": "one" }, "b": { "name": "two" } }));
    let before = count(&world, "apiKeys(first: 200)").await;
    let query = format!("mutation {{ {} ... {{ {} }} }}", create("a", "one"), create("a", "two"));
    let (status, message, code) = world.test.error(&query, json!({})).await;
    assert_eq!((status, code.as_str()), (400, "GRAPHQL_VALIDATION_FAILED"), "{message}");
    assert_eq!(count(&world, "apiKeys(first: 200)").await, before);
}

#[tokio::test]
async fn merged_fields_cost_once() {
    let rated = |settings: &mut Settings| settings.limits.api = Some(Rate { requests: 100, points: 10_000 });
    let world = World::with(On::Sqlite, rated).await.unwrap();
    let cost = |body: &Value| body["extensions"]["rateLimit"]["cost"].as_u64().unwrap();
    let list = "notificationEvents(first: 7) { edges { node { deliveryAttempts(first: 3) { edges { node { id } } } } } }";
    let once = world.test.ask(&format!("{{ {list} }}"), json!({})).await;
    let query = format!("query($n: Boolean = false) {{ {list} ...F x: notificationEvents @include(if: $n) {{ edges {{ cursor }} }} }}
        fragment F on Query {{ {list} ... {{ {list} }} }}");
    let merged = world.test.ask(&query, json!({})).await;
    assert_eq!(cost(&merged.body), cost(&once.body), "{}", merged.body);
}

#[tokio::test]
async fn fields_of_one_key_are_answered_together() {
    let world = World::on(On::Sqlite).await.unwrap();
    let event = world.test.publish(ISSUED).await;
    let target = world.test.add_target("https://example.com/", &[ISSUED]).await;
    for (query, expected) in [
        (
            "query($e: ID!) { node(id: $e) { id } node(id: $e) { ... on NotificationEvent { name } } ...F }
             fragment F on Query { node(id: $e) { __typename id ... on Node { id } } }",
            json!({ "node": { "id": event, "name": ISSUED, "__typename": "NotificationEvent" } }),
        ),
        (
            "query($e: ID!) { node(id: $e) { ... on NotificationEvent { node { ... on GenericNotificationEvent { payload } }
             node { __typename } } ... on Organization { profile { displayName } } } }",
            json!({ "node": { "node": { "__typename": "GenericNotificationEvent",
                "payload": { "__typename": "PaymentCardIssuedEvent", "number": 0 } } } }),
        ),
        (
            "query($e: ID!) { notificationEvents { edges { node { id } } } ...F } fragment F on Query {
             notificationEvents { edges { node { name ...G } } node: pageInfo { hasNextPage } } node(id: $e) { id } }
             fragment G on NotificationEvent { id name }",
            json!({ "notificationEvents": { "edges": [{ "node": { "id": event, "name": ISSUED } }], "node": { "hasNextPage": false } },
                "node": { "id": event } }),
        ),
    ] {
        let mut data = world.test.ok(query, json!({ "e": event, "t": target })).await;
        if let Some(edges) = data.pointer_mut("/notificationEvents/edges").and_then(Value::as_array_mut) {
            edges.retain(|edge| edge["node"]["name"] == ISSUED);
        }
        assert_eq!(data, expected, "{query}");
    }
}

#[tokio::test]
async fn a_selection_that_is_skipped_wholly_is_an_empty_object() {
    let world = World::on(On::Sqlite).await.unwrap();
    let event = world.test.publish(ISSUED).await;
    let target = world.test.add_target("https://example.com/", &[ISSUED]).await;
    let given = json!({ "e": event, "t": target, "no": false, "yes": true, "gone": "nee_00000000000000000000000000000000" });
    for (query, expected) in [
        ("{ ping @skip(if: true) }", json!({})),
        ("query($no: Boolean!) { ... @include(if: $no) { ping } }", json!({})),
        ("query($yes: Boolean!) { ping @skip(if: $yes) a: ping }", json!({ "a": "pong" })),
        ("query($e: ID!) { node(id: $e) { id @skip(if: true) } }", json!({ "node": {} })),
        // Nobody asks for anything of an event.
        ("query($e: ID!) { node(id: $e) { ... on SigningKey { id } } }", json!({ "node": {} })),
        ("query($gone: ID!) { node(id: $gone) { ... on SigningKey { id } } }", json!({ "node": null })),
        ("query($gone: ID!) { node(id: $gone) { id @skip(if: true) } }", json!({ "node": null })),
        // Inside of what is never null, and of lists.
        (
            "{ organizations { profile { displayName @include(if: false) } apiKeys { pageInfo { endCursor @skip(if: true) } } } }",
            json!({ "organizations": [{ "profile": {}, "apiKeys": { "pageInfo": {} } }] }),
        ),
        (
            "query($t: ID!, $no: Boolean!) { node(id: $t) { ... on WebhookNotificationTarget { signingKeys { id @include(if: $no) } } } }",
            json!({ "node": { "signingKeys": [{}] } }),
        ),
        (
            "query($e: ID!) { node(id: $e) { ... on NotificationEvent { node { ... on NotificationPingTestEvent { ping } } } } }",
            json!({ "node": { "node": {} } }),
        ),
        (
            "mutation($t: ID!) { renameNotificationTarget(input: {targetId: $t, name: \"n\"}) { ... on UserError { errors { code } } } }",
            json!({ "renameNotificationTarget": {} }),
        ),
        ("{ __schema { queryType { name @skip(if: true) } } }", json!({ "__schema": { "queryType": {} } })),
    ] {
        assert_eq!(world.test.ok(query, given.clone()).await, expected, "{query}");
    }
}

#[tokio::test]
async fn variables_are_taken_as_the_specification_says() {
    let world = World::on(On::Sqlite).await.unwrap();
    let ids = world.test.publish_many(ISSUED, 3).await;
    let first = "query($first: Int) { notificationEvents(first: $first) { edges { node { id } } } }";
    let body = format!(r#"{{"query": "{first}", "variables": {{"first": 2.0}}}}"#);
    let request = world.test.client().post(world.test.at("/graphql")).body(body);
    let request = request.header("authorization", world.test.authorization());
    let answer = request.header("content-type", "application/json").send().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(answer["data"]["notificationEvents"]["edges"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(answer["data"]["notificationEvents"]["edges"][0]["node"]["id"], ids[2]);
    // A variable without a value leaves the field's own default.
    let all = world.test.ok(first, json!({})).await;
    assert_eq!(all["notificationEvents"]["edges"].as_array().unwrap().len(), 3);
    let fields = "query($d: Boolean) { __type(name: \"NotificationEventName\") { enumValues(includeDeprecated: $d) { name } } }";
    let few = world.test.ok(fields, json!({})).await["__type"]["enumValues"].as_array().unwrap().len();
    let many =
        world.test.ok(fields, json!({ "d": true })).await["__type"]["enumValues"].as_array().unwrap().len();
    assert!(few < many);
    let node = "query($id: ID!) { node(id: $id) { id } }";
    for id in [json!(7), json!(7.0), json!("seven"), json!(u64::MAX)] {
        assert_eq!(world.test.ok(node, json!({ "id": id })).await, json!({ "node": null }));
    }
    for (query, variables) in [
        (first, json!({ "first": 2.5 })),
        (first, json!({ "first": "2" })),
        (first, json!({ "first": 2_147_483_648_u32 })),
        (node, json!({ "id": 1.5 })),
        (node, json!({ "id": null })),
        (node, json!({})),
        (
            "query($n: [NotificationEventName!]) { notificationEvents(filterBy: {name: $n}) { __typename } }",
            json!({ "n": ["NO"] }),
        ),
        (
            "query($f: NotificationEventsFilterInput) { notificationEvents(filterBy: $f) { __typename } }",
            json!({ "f": { "no": 1 } }),
        ),
    ] {
        let (status, message, code) = world.test.error(query, variables.clone()).await;
        assert_eq!(
            (status, code.as_str()),
            (400, "GRAPHQL_VALIDATION_FAILED"),
            "{query} {variables}: {message}"
        );
    }
}

#[tokio::test]
async fn the_schema_tells_all_that_tools_ask_of_it() {
    let world = World::on(On::Sqlite).await.unwrap();
    let query = include_str!("../../src/server/document/expansion/introspection.graphql");
    let schema = world.test.ok(query, json!({})).await["__schema"].take();
    let description = schema["description"].as_str().unwrap();
    assert!(description.starts_with("The notification API"), "{description}");
    assert!(include_str!("../../schema.graphql").contains(description));
    let types = schema["types"].as_array().unwrap();
    let all = ["fields", "inputFields", "enumValues"]
        .into_iter()
        .flat_map(|list| types.iter().flat_map(move |ty| ty[list].as_array().into_iter().flatten()));
    let deprecated: Vec<_> = all.filter(|item| item["isDeprecated"] == true).collect();
    assert!(deprecated.len() > 5);
    for item in deprecated {
        assert!(item["deprecationReason"].as_str().is_some_and(|reason| !reason.is_empty()), "{item}");
    }
}

#[tokio::test]
async fn limits_are_told_with_numbers() {
    let world = World::on(On::Sqlite).await.unwrap();
    let nested = |depth: usize| format!("{{ {} ping {} }}", "... {".repeat(depth - 1), "}".repeat(depth - 1));
    assert_eq!(world.test.ok(&nested(64), json!({})).await, json!({ "ping": "pong" }));
    let deep = format!(
        "{{ organizations {{ {} cursor {} }} }}",
        "apiKeys { edges { node {".repeat(5),
        "} } }".repeat(5)
    );
    for (query, numbers) in [
        (nested(65), ["64", "64"]),
        (deep, ["17 deep", "at most 15"]),
        ("{ notificationEvents(first: 200) { edges { node { deliveryAttempts(first: 25) { edges { node { id } } } } } } }".to_owned(),
            ["costs 5602 points", "at most 5000"]),
        (format!("{{ {} }}", "ping ".repeat(2_001)), ["2000", "2000"]),
    ] {
        let (status, message, code) = world.test.error(&query, json!({})).await;
        assert_eq!((status, code.as_str()), (400, "GRAPHQL_VALIDATION_FAILED"), "{query:.80}: {message}");
        for number in numbers {
            assert!(message.contains(number), "{query:.80}: {message}");
        }
    }
}
