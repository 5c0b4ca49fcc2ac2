//! The schema as a whole, and whether its statements run.

use async_graphql::Value;
use entity::{ApiKeyId, ApiKeyKind, Environment};
use serde_json::Value as Json;

use super::*;
use crate::app::Settings;
use crate::app::publisher::Call;
use crate::clock::Clock;
use crate::db::Db;
use crate::quota::memory::{Memory, Purpose};
use crate::store::events::Sketch;
use crate::store::{Scope, organizations};
use crate::vault::Vault;

const INTROSPECTION: &str = "{ __schema { types {
    name description
    fields(includeDeprecated: true) { name description args { name description } }
    inputFields { name description }
    enumValues(includeDeprecated: true) { name description }
} } }";

async fn types() -> Vec<Json> {
    let answer = builder().finish().execute(INTROSPECTION).await;
    assert_eq!(answer.errors, []);
    let types = answer.data.into_json().unwrap()["__schema"]["types"].take();
    types.as_array().unwrap().iter().filter(|ty| !is_built_in(ty)).cloned().collect()
}

fn is_built_in(ty: &Json) -> bool {
    let name = ty["name"].as_str().unwrap();
    name.starts_with("__") || ["Boolean", "Float", "ID", "Int", "String"].contains(&name)
}

fn undescribed(path: &str, item: &Json) -> Vec<String> {
    let path = format!("{path}/{}", item["name"].as_str().unwrap());
    let parts = ["fields", "args", "inputFields", "enumValues"];
    let mut missing: Vec<_> = parts
        .iter()
        .flat_map(|part| item[part].as_array().into_iter().flatten())
        .flat_map(|part| undescribed(&path, part))
        .collect();
    if item["description"].as_str().is_none_or(str::is_empty) {
        missing.push(path);
    }
    missing
}

#[tokio::test]
async fn everything_is_described() {
    let missing: Vec<_> = types().await.iter().flat_map(|ty| undescribed("", ty)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[tokio::test]
async fn there_are_249_event_names() {
    let types = types().await;
    let names = types.iter().find(|ty| ty["name"] == "NotificationEventName").unwrap();
    assert_eq!(names["enumValues"].as_array().unwrap().len(), 249);
}

struct Server {
    app: App,
    schema: Schema,
    caller: Caller,
    _directory: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("reprise.db").display());
        let db = Db::open(&url).await.unwrap();
        let app = App::new(db, Clock::system(), Vault::new(&[7; 32]), Settings::default()).unwrap();
        tokio::spawn(record(app.clone()));
        let tx = app.db.begin().await.unwrap();
        let organization = organizations::add(&tx, "Acme", app.now()).await.unwrap();
        tx.commit().await.unwrap();
        let scope = Scope { organization: organization.id, environment: Environment::Test };
        let caller = Caller { key: ApiKeyId::new(app.now()), kind: ApiKeyKind::Platform, scope };
        Self { schema: schema(app.clone()), app, caller, _directory: directory }
    }

    fn prepared(&self, document: &str) -> Request {
        let organization = self.caller.scope.organization.clone();
        let share = Memory::new(self.app.settings.limits.memory).share(organization, Purpose::Reading);
        prepare(document.into(), &self.app, self.caller.clone(), &Arc::new(share))
    }

    async fn ask(&self, document: &str) -> Json {
        let answer = self.schema.execute(self.prepared(document)).await;
        assert_eq!(answer.errors, [], "{document}");
        answer.data.into_json().unwrap()
    }

    async fn code_of(&self, document: &str) -> Value {
        let answer = self.schema.execute(self.prepared(document)).await;
        answer.errors[0].extensions.as_ref().unwrap().get("code").unwrap().clone()
    }
}

/// Records what is published, as the delivery engine does.
async fn record(app: App) {
    let mut calls = app.publisher.calls().unwrap();
    while let Some((publication, answer)) = calls.recv().await.and_then(Call::take) {
        let tx = app.db.begin().await.unwrap();
        let sketch = Sketch::of(&tx, &[publication], app.now()).await.unwrap();
        let repeated = sketch.insert_keyed(&tx).await.unwrap();
        let (script, mut events) = sketch.publish(&tx, &repeated, app.now()).written();
        script.run(&tx).await.unwrap();
        tx.commit().await.unwrap();
        answer.send(Ok(events.remove(0))).unwrap();
    }
}

const ADD: &str = r#"mutation { addWebhookNotificationTarget(input: {
    name: "One", uri: "https://company.com/hooks", subscriptions: [CARD_PAYMENT_CLEARED_EVENT, CARD_PAYMENT_CLEARED_EVENT]
}) { __typename ... on WebhookNotificationTarget {
    id status subscriptions signingKeys { secret } statusHistory { edges { node { newStatus target { __typename } } } }
} ... on UserError { errors { errorPath code description } } } }"#;

const PUBLISH: &str = r#"mutation { publishNotificationEvents(input: { events: [
    { name: CARD_PAYMENT_CLEARED_EVENT, node: { z: 1, a: [{ c: 2, b: 3 }] }, idempotencyKey: "1" }
    { name: CARD_PAYMENT_CLEARED_EVENT, node: { __typename: "NotificationPingTestEvent", ping: "pong" } }
    { name: CARD_PAYMENT_CLEARED_EVENT, node: {}, idempotencyKey: "1" }
] }) { ... on PublishedNotificationEvents { events { id deliveryAttempts { edges { cursor } } } } } }"#;

const LISTS: &str = r#"
query { organizations { profile { displayName environment } apiKeys { edges { node { kind } } }
    webhookNotificationTargets(first: 1) { pageInfo { hasNextPage endCursor } edges { node { ...Target } } } }
  notificationEvents(first: 2, filterBy: { name: [CARD_PAYMENT_CLEARED_EVENT], createdAt: {
    between: { start: "2020-01-01" }, notEquals: "2021-01-01" } }) {
    pageInfo { hasNextPage hasPreviousPage } edges { node { id expiresAt node { ...Node } deliveryAttempts { pageInfo { endCursor } } } } } }
fragment Target on WebhookNotificationTarget { id deliveryAttempts { edges { node { id } } } statusHistory { edges { node { id } } }
  all: webhookNotificationTargetEvents { edges { node { event { id name node { ...Node } } deliveryAttempts { edges { cursor } } } } }
  missed: webhookNotificationTargetEvents(filterBy: { hasSuccessfulDelivery: false, name: [CARD_PAYMENT_CLEARED_EVENT] }) { edges { cursor } } }
fragment Node on NotificationEventNode { __typename ... on NotificationPingTestEvent { ping }
  ... on GenericNotificationEvent { payload @include(if: true) again: payload @skip(if: true) } }"#;

#[tokio::test]
async fn targets_and_events_are_added_and_listed() {
    let server = Server::start().await;
    let added = &server.ask(ADD).await["addWebhookNotificationTarget"];
    assert_eq!(added["subscriptions"], serde_json::json!(["CARD_PAYMENT_CLEARED_EVENT"]), "{added}");
    assert_eq!(added["signingKeys"][0]["secret"].as_str().unwrap().len(), 43);

    let published = &server.ask(PUBLISH).await["publishNotificationEvents"]["events"];
    assert_eq!(published[0]["id"], published[2]["id"]);
    assert_eq!(published[0]["deliveryAttempts"], Json::Null, "no target is active yet");

    let lists = server.ask(LISTS).await;
    let events = &lists["notificationEvents"];
    assert_eq!(events["pageInfo"]["hasNextPage"], false);
    assert_eq!(events["edges"][0]["node"]["node"]["ping"], "pong");
    let payload = &events["edges"][1]["node"]["node"]["payload"];
    let text = r#"{"__typename":"CardPaymentClearedEvent","z":1,"a":[{"c":2,"b":3}]}"#;
    assert_eq!(payload.to_string(), text);
    let target = &lists["organizations"][0]["webhookNotificationTargets"]["edges"][0]["node"];
    assert_eq!(target["all"]["edges"][0]["node"]["event"]["name"], "NOTIFICATION_ACTIVATION");
    assert_eq!(target["missed"]["edges"], serde_json::json!([]));
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let server = Server::start().await;
    server.ask(PUBLISH).await;
    let page = |after: &str| {
        format!(
            "{{ notificationEvents(first: 1, {after}) {{ pageInfo {{ hasNextPage hasPreviousPage endCursor }} edges {{ node {{ id }} }} }} }}"
        )
    };
    let first = server.ask(&page("")).await["notificationEvents"].take();
    let cursor = first["pageInfo"]["endCursor"].as_str().unwrap();
    let second = server.ask(&page(&format!("after: {cursor:?}"))).await["notificationEvents"].take();
    assert_eq!(
        (&first["pageInfo"]["hasNextPage"], &second["pageInfo"]["hasNextPage"]),
        (&true.into(), &false.into())
    );
    assert_eq!(second["pageInfo"]["hasPreviousPage"], true);
    assert!(first["edges"][0]["node"]["id"].as_str() > second["edges"][0]["node"]["id"].as_str());
    for bad in
        ["after: \"x\"", "first: 0", "first: -1, after: null", "filterBy: { createdAt: { equals: \"now\" } }"]
    {
        let document = format!("{{ notificationEvents({bad}) {{ edges {{ cursor }} }} }}");
        assert_eq!(server.code_of(&document).await, Value::from("BAD_USER_INPUT"), "{bad}");
    }
}

#[tokio::test]
async fn every_error_has_a_code() {
    let server = Server::start().await;
    for (document, code) in
        [("{", "GRAPHQL_PARSE_FAILED"), ("query A { ping } query B { ping }", "BAD_USER_INPUT")]
    {
        assert_eq!(server.code_of(document).await, Value::from(code), "{document}");
    }
}
