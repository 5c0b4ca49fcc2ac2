//! Two organizations and two environments cannot see or touch each other through
//! any id, cursor or list (T1).

use rstest::rstest;
use serde_json::{Value, json};

use crate::targets::ON_TARGETS;
use crate::world::api::{codes, id, nodes};
use crate::world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// One of everything that has an id.
struct Belongings {
    target: String,
    event: String,
    attempt: String,
    signing_key: String,
    api_key: String,
    organization: String,
    cursors: Vec<String>,
}

impl Belongings {
    async fn of(api: &Api, world: &World, path: &str) -> Self {
        let target = world.active_target(api, path, &[ISSUED]).await;
        let event = api.publish(ISSUED).await;
        world.settle().await;
        let attempt = id(&api.attempts(&event).await[0]);
        let everything = api.ok(LISTS, json!({})).await;
        let organization = &everything["organizations"][0];
        let keys = "... on WebhookNotificationTarget { signingKeys { id } }";
        Self {
            signing_key: id(&api.node(&target, keys).await["signingKeys"][0]),
            api_key: id(&nodes(&organization["apiKeys"])[0]),
            organization: id(organization),
            cursors: cursors(&everything),
            target,
            event,
            attempt,
        }
    }
}

const LISTS: &str = "{
    notificationEvents(first: 5) { edges { cursor node { id } } }
    organizations { id
        apiKeys(first: 5) { edges { cursor node { id } } }
        webhookNotificationTargets(first: 5) { edges { cursor node { id
            deliveryAttempts(first: 5) { edges { cursor node { id } } }
            statusHistory(first: 5) { edges { cursor node { id } } }
            webhookNotificationTargetEvents(first: 5) { edges { cursor node { event { id }
                deliveryAttempts(first: 5) { edges { cursor node { id } } } } } }
        } } }
    } }";

/// Every cursor in an answer.
fn cursors(answer: &Value) -> Vec<String> {
    match answer {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(cursor) if name == "cursor" => vec![cursor.clone()],
                other => cursors(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(cursors).collect(),
        _ => Vec::new(),
    }
}

#[rstest]
#[tokio::test]
async fn nothing_of_another_scope_can_be_read_or_changed(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let (their_test, their_live) = world.stranger().await;
    let mine = Belongings::of(&world.test, &world, "/mine").await;
    let before = world.test.ok(LISTS, json!({})).await;
    for foreign in [&world.live, &their_test, &their_live] {
        cannot_read(foreign, &mine).await;
        cannot_change(foreign, &mine).await;
        cannot_page(foreign, &mine).await;
    }
    world.settle().await;
    assert_eq!(world.test.ok(LISTS, json!({})).await, before);
    assert_eq!(world.test.status(&mine.target).await, "ACTIVE");
}

async fn cannot_read(foreign: &Api, mine: &Belongings) {
    for id in [&mine.target, &mine.event, &mine.attempt, &mine.signing_key, &mine.api_key] {
        assert_eq!(foreign.node(id, "").await, Value::Null, "{id}");
    }
    // The organization is one for both environments, but its lists are not.
    let lists = foreign.ok(LISTS, json!({})).await.to_string();
    for id in [&mine.target, &mine.event, &mine.attempt, &mine.api_key] {
        assert!(!lists.contains(id.as_str()), "{id}");
    }
    if !lists.contains(&mine.organization) {
        assert_eq!(foreign.node(&mine.organization, "").await, Value::Null);
    }
}

async fn cannot_change(foreign: &Api, mine: &Belongings) {
    let input = |target: &str, mutation: &str| {
        let mut input = json!({ "targetId": target });
        match mutation {
            "renameNotificationTarget" => input["name"] = "x".into(),
            "setEmailForNotificationTarget" => input["email"] = "a@example.com".into(),
            _ if mutation.contains("Subscriptions") => input["subscriptions"] = json!([ISSUED]),
            _ => {}
        }
        input
    };
    for mutation in ON_TARGETS {
        let answer = foreign.target(mutation, input(&mine.target, mutation)).await;
        let unknown = foreign.target(mutation, input("ntt_0190163d8694739b8a4f0123456789ab", mutation)).await;
        assert_eq!(answer.to_string(), unknown.to_string(), "{mutation}");
        assert!(["NOT_FOUND", "ACCESS_DENIED"].contains(&codes(&answer)[0].0.as_str()), "{mutation}");
    }
    let others = [
        ("replayNotificationEvent", json!({ "notificationEventId": mine.event }), "NotificationEvent"),
        ("revokeAPIKey", json!({ "apiKeyId": mine.api_key }), "APIKey"),
        ("initiateNotificationPingTest", json!({ "targetId": mine.target }), "NotificationEvent"),
    ];
    for (mutation, input, answers) in others {
        assert_eq!(
            codes(&foreign.call(mutation, input, (answers, "id")).await)[0].0,
            "NOT_FOUND",
            "{mutation}"
        );
    }
}

async fn cannot_page(foreign: &Api, mine: &Belongings) {
    assert!(mine.cursors.len() >= 6);
    for cursor in &mine.cursors {
        for list in [
            "notificationEvents(after: $after) { edges { cursor } }",
            "organizations { webhookNotificationTargets(after: $after) { edges { cursor } } }",
            "organizations { apiKeys(after: $after) { edges { cursor } } }",
        ] {
            let query = format!("query($after: String) {{ {list} }}");
            let (status, _, code) = foreign.error(&query, json!({ "after": cursor })).await;
            assert_eq!((status, code.as_str()), (200, "BAD_USER_INPUT"), "{list}");
        }
    }
}
