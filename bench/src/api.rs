//! The server's API, and the calls that are made of it.

use std::time::Duration;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::connection::Connection;

/// What healthy targets subscribe to.
pub(crate) const EVENT: &str = "PAYMENT_CARD_ISSUED";
/// What targets that hang subscribe to.
pub(crate) const OTHER: &str = "PAYMENT_CARD_CLOSED";

/// A server's API with one key.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    url: String,
    authorization: String,
}

/// A caller of the API, with a connection of its own.
pub(crate) struct Caller {
    authorization: String,
    connection: Connection,
}

impl Api {
    /// The API of the server at `http://HOST:PORT`.
    pub(crate) fn new(url: &str, key: &str) -> Self {
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
        Self { url: url.to_owned(), authorization }
    }

    /// A new caller.
    pub(crate) async fn caller(&self) -> anyhow::Result<Caller> {
        let connection = Connection::open(&self.url).await?;
        Ok(Caller { authorization: self.authorization.clone(), connection })
    }

    /// Adds a target, waits until it is active, and answers its id.
    pub(crate) async fn add_target(&self, uri: &str, event: &str) -> anyhow::Result<String> {
        let query = "mutation($input: AddWebhookNotificationTargetInput!) {
            addWebhookNotificationTarget(input: $input) { ... on WebhookNotificationTarget { id } } }";
        let input = json!({ "name": "bench", "uri": uri, "subscriptions": [event] });
        let mut caller = self.caller().await?;
        let made = caller.ask(query, json!({ "input": input })).await?;
        let id = made["addWebhookNotificationTarget"]["id"].as_str();
        let id = id.with_context(|| format!("the target was not added: {made}"))?.to_owned();
        let query = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget { status } } }";
        while caller.ask(query, json!({ "id": id })).await?["node"]["status"] != "ACTIVE" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(id)
    }
}

impl Caller {
    /// The data of a request.
    pub(crate) async fn ask(&mut self, query: &str, variables: Value) -> anyhow::Result<Value> {
        self.data(request(query, &variables)).await
    }

    /// The data of a request that is ready to be sent.
    pub(crate) async fn data(&mut self, request: Bytes) -> anyhow::Result<Value> {
        let mut answer: Value = serde_json::from_slice(&self.send(request).await?)?;
        ensure!(answer["errors"].is_null(), "{answer}");
        Ok(answer["data"].take())
    }

    /// Publishes, and answers the ids of the events. Reads no more of the answer than that.
    pub(crate) async fn publish(&mut self, publication: &Publication) -> anyhow::Result<Vec<u128>> {
        let answer = self.send(publication.request.clone()).await?;
        let ids = event_ids(&answer);
        let refused = || format!("not all were published: {}", String::from_utf8_lossy(&answer));
        ensure!(ids.len() == publication.events, refused());
        Ok(ids)
    }

    async fn send(&mut self, request: Bytes) -> anyhow::Result<Bytes> {
        self.connection.post("/graphql", &[("authorization", &self.authorization)], request).await
    }
}

/// A request, ready to be sent any number of times.
pub(crate) fn request(query: &str, variables: &Value) -> Bytes {
    json!({ "query": query, "variables": variables }).to_string().into()
}

/// The request that publishes so many events of one name, each with a payload of 1 KiB.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    request: Bytes,
    events: usize,
}

impl Publication {
    /// Of so many events.
    pub(crate) fn of(name: &str, events: usize) -> Self {
        Self::with_node(name, events, &payload())
    }

    /// Of so many events with this payload.
    pub(crate) fn with_node(name: &str, events: usize, node: &Value) -> Self {
        let query = "mutation($events: [NotificationEventInput!]!) {
            publishNotificationEvents(input: {events: $events}) {
                ... on PublishedNotificationEvents { events { id } } } }";
        let list = vec![json!({ "name": name, "node": node }); events];
        Self { request: request(query, &json!({ "events": list })), events }
    }
}

/// A payload that is 1 KiB when the server has put the name of its type in front.
pub(crate) fn payload() -> Value {
    json!({ "id": "pc_1", "memo": "x".repeat(960) })
}

/// The ids of events in a text, as numbers.
fn event_ids(text: &[u8]) -> Vec<u128> {
    let places = text.windows(4).enumerate().filter(|(_, window)| window == b"nee_");
    places.filter_map(|(place, _)| number(text.get(place + 4..place + 36)?)).collect()
}

/// 32 hex digits as a number.
pub(crate) fn number(digits: &[u8]) -> Option<u128> {
    u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
