//! The HTTP client of the benchmarks, and the API calls they make.

use std::sync::LazyLock;

use anyhow::{Context, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

static CLIENT: LazyLock<Client<HttpConnector, Full<Bytes>>> = LazyLock::new(|| {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
});

/// The body behind a URL.
pub async fn get(url: &str) -> anyhow::Result<Vec<u8>> {
    let response = CLIENT.get(url.parse()?).await?;
    ensure!(response.status().is_success(), "{url} answered {}", response.status());
    Ok(response.into_body().collect().await?.to_bytes().to_vec())
}

/// A server's API with one key.
#[derive(Debug, Clone)]
pub struct Api {
    url: String,
    authorization: String,
}

impl Api {
    /// The API at `url` (without `/graphql`).
    pub fn new(url: &str, key: &str) -> Self {
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
        Self { url: format!("{url}/graphql"), authorization }
    }

    /// The data of a request.
    pub async fn ask(&self, query: &str, variables: Value) -> anyhow::Result<Value> {
        self.post(json!({ "query": query, "variables": variables }).to_string().into()).await
    }

    async fn post(&self, body: Bytes) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let answer = CLIENT.request(request).await?.into_body().collect().await?.to_bytes();
        let mut answer: Value = serde_json::from_slice(&answer)?;
        ensure!(answer["errors"].is_null(), "{answer}");
        Ok(answer["data"].take())
    }

    /// Adds a target and waits until it is active.
    pub async fn add_target(&self, uri: &str, name: &str) -> anyhow::Result<()> {
        let query = "mutation($input: AddWebhookNotificationTargetInput!) {
            addWebhookNotificationTarget(input: $input) { ... on WebhookNotificationTarget { id } } }";
        let input = json!({ "name": "bench", "uri": uri, "subscriptions": [name] });
        let made = self.ask(query, json!({ "input": input })).await?;
        let id = made["addWebhookNotificationTarget"]["id"].clone();
        ensure!(id.is_string(), "the target was not added: {made}");
        let query = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget { status } } }";
        while self.ask(query, json!({ "id": id })).await?["node"]["status"] != "ACTIVE" {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Publishes events of 1 KiB and answers their ids.
    pub async fn publish(&self, events: &Bytes) -> anyhow::Result<Vec<String>> {
        let made = self.post(events.clone()).await?;
        let made = made["publishNotificationEvents"]["events"].as_array().context("nothing was published")?;
        Ok(made.iter().filter_map(|event| event["id"].as_str().map(str::to_owned)).collect())
    }
}

/// The request that publishes so many events of one name, each with a payload of 1 KiB.
pub fn publication(name: &str, count: usize) -> Bytes {
    let query = "mutation($events: [NotificationEventInput!]!) { publishNotificationEvents(input: {events: $events}) {
        ... on PublishedNotificationEvents { events { id } } } }";
    let node = json!({ "id": "pc_1", "memo": "x".repeat(960) });
    let events = vec![json!({ "name": name, "node": node }); count];
    json!({ "query": query, "variables": { "events": events } }).to_string().into()
}
