//! Whatever comes in by the front door is answered, and never as a fault of ours (G2).
//!
//! The cases are random: 256 a run, or as many as `PROPTEST_CASES` says.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use world::{On, World};

/// Words that mean something in documents, and some that do not.
const WORDS: &str = "query|mutation|subscription|fragment|on|F|G|Q|ping|node|organizations|notificationEvents|\
    __schema|__type|__typename|types|fields|name|id|edges|cursor|pageInfo|auditTrail|apiKeys|\
    webhookNotificationTargets|webhookNotificationTargetEvents|deliveryAttempts|statusHistory|target|event|\
    addWebhookNotificationTarget|publishNotificationEvents|replayNotificationEvent|createSecretAPIKey|\
    removeNotificationTarget|WebhookNotificationTarget|NotificationEvent|UserError|first|after|filterBy|input|\
    targetId|events|createdAt|between|equals|true|false|null|skip|include|if|String|Int|ID|x";

fn word() -> impl Strategy<Value = String> {
    WORDS
}

/// A value as documents write it.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        word(),
        word().prop_map(|word| format!("${word}")),
        "-?[0-9]{1,20}(\\.[0-9]{1,3})?(e[0-9]{1,3})?",
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        "\"(ntt|nee|nda|org|key|nal)_[0-9a-f]{32}\"",
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let fields = vec((word(), inner.clone()), 0..3).prop_map(|fields| {
            fields.into_iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(" ")
        });
        let items = vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(" ")));
        prop_oneof![fields.prop_map(|fields| format!("{{{fields}}}")), items]
    })
}

fn arguments() -> impl Strategy<Value = String> {
    let argument = (word(), value()).prop_map(|(name, value)| format!("{name}: {value}"));
    vec(argument, 0..3)
        .prop_map(|all| if all.is_empty() { String::new() } else { format!("({})", all.join(" ")) })
}

/// A selection that may well be valid, or at least well nested.
fn selection() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => word(),
        1 => word().prop_map(|name| format!("...{name}")),
        1 => (word(), word()).prop_map(|(alias, name)| format!("{alias}: {name}")),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let head = prop_oneof![
            4 => (word(), arguments()).prop_map(|(name, arguments)| format!("{name}{arguments}")),
            1 => (word(), arguments()).prop_map(|(name, arguments)| format!("{name} @{name}{arguments}")),
            1 => word().prop_map(|name| format!("... on {name}")),
        ];
        (head, vec(inner, 1..4)).prop_map(|(head, inner)| format!("{head} {{ {} }}", inner.join(" ")))
    })
}

fn document() -> impl Strategy<Value = String> {
    let operation = (word(), arguments(), vec(selection(), 1..4))
        .prop_map(|(kind, variables, fields)| format!("{kind} Q{variables} {{ {} }}", fields.join(" ")));
    let shorthand = vec(selection(), 1..4).prop_map(|fields| format!("{{ {} }}", fields.join(" ")));
    let fragment = (word(), word(), vec(selection(), 1..4))
        .prop_map(|(name, on, fields)| format!("fragment {name} on {on} {{ {} }}", fields.join(" ")));
    let definition = prop_oneof![3 => shorthand, 2 => operation, 2 => fragment];
    let nested = (1..2_000_usize, word()).prop_map(|(depth, name)| format!("{{ {name} ").repeat(depth));
    let mixed = vec(prop_oneof![word(), "[{}()\\[\\]:!$@.&|=,\"#\\\\ \n]", "\\PC"], 0..60);
    prop_oneof![
        8 => vec(definition, 1..4).prop_map(|definitions| definitions.join(" ")),
        2 => mixed.prop_map(|tokens| tokens.join(" ")),
        1 => nested,
        1 => any::<String>(),
    ]
}

/// Any text, as documents write it.
fn text() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        any::<String>(),
        "https://[a-z0-9.\\[\\]:/?#@]{1,30}",
        "(ntt|nee|nda|nsk|org|key|nal)_[0-9a-f]{32}",
        "[A-Za-z0-9_-]{1,60}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?",
    ];
    text.prop_map(|text| Value::from(text).to_string())
}

/// What can be asked and changed, with any text in every place that takes one.
fn valid() -> impl Strategy<Value = String> {
    const EACH: [&str; 14] = [
        "{ node(id: A) { __typename id } }",
        "{ notificationEvents(first: N, after: A) { edges { node { id } } } }",
        "{ notificationEvents(filterBy: {createdAt: {between: {start: A, end: B}}}) { edges { node { id } } } }",
        "{ notificationEvents(filterBy: {createdAt: {equals: A, lessThan: B}}) { edges { node { id } } } }",
        "{ organizations { apiKeys(first: N, after: A) { edges { cursor } } auditTrail(after: B) { edges { cursor } } } }",
        "{ organizations { webhookNotificationTargets(first: N) { edges { node { id name uri
            signingKeys { id } statusHistory { edges { cursor } } deliveryAttempts { edges { cursor } } } } } } }",
        "mutation { addWebhookNotificationTarget(input: {name: A, uri: B, subscriptions: []}) { __typename } }",
        "mutation { renameNotificationTarget(input: {targetId: A, name: B}) { __typename } }",
        "mutation { setEmailForNotificationTarget(input: {targetId: A, email: B}) { __typename } }",
        "mutation { createSecretAPIKey(input: {secretKey: {name: A}}) { __typename } }",
        "mutation { revokeAPIKey(input: {apiKeyId: A}) { __typename } }",
        "mutation { createOrganization(input: {displayName: A}) { __typename } }",
        "mutation { replayNotificationEvent(input: {notificationEventId: A, targetIds: [B]}) { __typename } }",
        "mutation { publishNotificationEvents(input: {events: [{name: PAYMENT_CARD_ISSUED, node: {a: A, b: V},
            idempotencyKey: B}]}) { __typename } }",
    ];
    (proptest::sample::select(&EACH[..]), text(), text(), value(), -1..300_i32).prop_map(
        |(document, first, second, value, number)| {
            let words =
                document.split_inclusive([' ', ',', ')', ']', '}', '{']).map(|word| match word.split_at(1) {
                    ("A", end) if end.len() == 1 => format!("{first}{end}"),
                    ("B", end) if end.len() == 1 => format!("{second}{end}"),
                    ("V", end) if end.len() == 1 => format!("{value}{end}"),
                    ("N", end) if end.len() == 1 => format!("{number}{end}"),
                    _ => word.to_owned(),
                });
            words.collect()
        },
    )
}

fn variables() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((word(), inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let request = (document(), variables(), variables(), any::<Option<String>>());
    let request = request.prop_map(|(query, variables, extensions, name)| {
        json!({ "query": query, "variables": variables, "extensions": extensions, "operationName": name })
    });
    let simple = prop_oneof![document(), valid()].prop_map(|query| json!({ "query": query }));
    prop_oneof![
        10 => simple.prop_map(|request| request.to_string().into_bytes()),
        2 => request.prop_map(|request| request.to_string().into_bytes()),
        1 => variables().prop_map(|request| request.to_string().into_bytes()),
        1 => (1..100_000_usize, "[\\[{\"]").prop_map(|(depth, bracket)| bracket.repeat(depth).into_bytes()),
        1 => any::<Vec<u8>>(),
    ]
}

/// What is wrong with the answer to a request, if anything is.
async fn complaint(world: &World, body: Vec<u8>) -> Option<String> {
    let api = &world.test;
    let request = api.client().post(api.at("/graphql")).header("authorization", api.authorization());
    let answer = request.header("content-type", "application/json").body(body).send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Some(format!("no answer: {error:?}")),
    };
    let status = answer.status().as_u16();
    let Ok(body) = serde_json::from_slice::<Value>(&answer.bytes().await.unwrap_or_default()) else {
        return Some(format!("{status} without JSON"));
    };
    let is_ours = body.to_string().contains("INTERNAL_SERVER_ERROR");
    let is_told = body["extensions"]["requestId"].is_string();
    let is_fine = [200, 400, 413].contains(&status) && is_told && !is_ours;
    (!is_fine).then(|| format!("{status}: {body}"))
}

#[test]
fn no_request_is_answered_as_a_fault_of_ours() {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::on(On::Sqlite)).unwrap();
    let mut runner = TestRunner::default();
    let outcome = runner.run(&body(), |body| {
        let complaint = runtime.block_on(complaint(&world, body));
        prop_assert_eq!(complaint, None);
        Ok(())
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
}
