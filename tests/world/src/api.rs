//! A GraphQL client with one API key, and the requests that many stories make.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// What a story asks of a target again and again.
pub const TARGET: &str = "id name uri email status subscriptions createdAt updatedAt deactivatedAt";

/// The body of an error payload.
pub const ERRORS: &str = "... on UserError { errors { code description path errorPath } } \
                          ... on AccessDeniedError { message }";

/// The API as the bearer of one key sees it.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    url: String,
    key: String,
}

/// An answer as it came.
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Api {
    #[expect(clippy::disallowed_methods, reason = "the client of a story is a stranger to the server's")]
    pub fn new(url: &str, key: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { client, url: url.to_owned(), key: key.to_owned() }
    }

    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// The server's address for another path than `/graphql`.
    pub fn at(&self, path: &str) -> String {
        self.url.replace("/graphql", path)
    }

    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The value of the `Authorization` header.
    pub fn authorization(&self) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{}:", self.key)))
    }

    /// Posts a request and takes what comes.
    pub async fn ask(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables });
        let request = self.client.post(&self.url).header("authorization", self.authorization());
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        Answer { status, body }
    }

    /// The data of a request that has no errors.
    pub async fn ok(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(query, variables).await;
        assert_eq!((answer.status, &answer.body["errors"]), (200, &Value::Null), "{query}");
        answer.body["data"].take()
    }

    /// The message and the code of the first error of a request.
    pub async fn error(&self, query: &str, variables: Value) -> (u16, String, String) {
        let answer = self.ask(query, variables).await;
        let error = &answer.body["errors"][0];
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned();
        (answer.status, text(&error["message"]), text(&error["extensions"]["code"]))
    }

    /// Calls a mutation that takes an `input`, and answers its payload: `__typename` and the fields of
    /// the payload type `answers`, or the errors.
    pub async fn call(&self, mutation: &str, input: Value, (answers, fields): (&str, &str)) -> Value {
        let type_name = mutation[..1].to_uppercase() + &mutation[1..];
        let query = format!(
            "mutation($input: {type_name}Input!) {{ {mutation}(input: $input) {{ __typename \
             ... on {answers} {{ {fields} }} {ERRORS} }} }}"
        );
        self.ok(&query, json!({ "input": input })).await[mutation].take()
    }

    /// Calls a mutation that answers a target.
    pub async fn target(&self, mutation: &str, input: Value) -> Value {
        self.call(mutation, input, ("WebhookNotificationTarget", TARGET)).await
    }

    /// Calls a mutation that takes a `targetId` only and answers the target.
    pub async fn on_target(&self, mutation: &str, id: &str) -> Value {
        self.target(mutation, json!({ "targetId": id })).await
    }

    /// The codes of the errors of a payload, each with its path.
    pub async fn codes(&self, mutation: &str, input: Value) -> Vec<(String, String)> {
        codes(&self.call(mutation, input, ("Node", "id")).await)
    }

    /// Adds a target and answers its id.
    pub async fn add_target(&self, uri: &str, names: &[&str]) -> String {
        let input = json!({ "name": "A target", "uri": uri, "subscriptions": names });
        id(&self.target("addWebhookNotificationTarget", input).await)
    }

    /// The status of a target.
    pub async fn status(&self, id: &str) -> String {
        self.node(id, "... on WebhookNotificationTarget { status }").await["status"]
            .as_str()
            .unwrap_or("(gone)")
            .to_owned()
    }

    /// What `node` answers.
    pub async fn node(&self, id: &str, fields: &str) -> Value {
        let query = format!("query($id: ID!) {{ node(id: $id) {{ __typename {fields} }} }}");
        self.ok(&query, json!({ "id": id })).await["node"].take()
    }

    /// Publishes an event and answers its id.
    pub async fn publish(&self, name: &str) -> String {
        self.publish_many(name, 1).await.remove(0)
    }

    /// Publishes so many events of one name and answers their ids.
    pub async fn publish_many(&self, name: &str, count: usize) -> Vec<String> {
        let events: Vec<Value> =
            (0..count).map(|number| json!({ "name": name, "node": { "number": number } })).collect();
        let fields = ("PublishedNotificationEvents", "events { id }");
        let made = self.call("publishNotificationEvents", json!({ "events": events }), fields).await;
        made["events"].as_array().unwrap_or_else(|| panic!("{made}")).iter().map(id).collect()
    }

    /// Posts variables, or anything else, as they stand, and answers the text that comes.
    pub async fn post_text(&self, query: &str, variables: &str) -> String {
        let body = format!(r#"{{"query": {}, "variables": {variables}}}"#, json!(query));
        let request = self.client().post(self.at("/graphql")).header("authorization", self.authorization());
        let request = request.header("content-type", "application/json").body(body);
        request.send().await.unwrap().text().await.unwrap()
    }

    /// The codes of the errors of publishing, each with its path.
    pub async fn codes_of_publishing(&self, input: Value) -> Vec<(String, String)> {
        let fields = ("PublishedNotificationEvents", "events { id }");
        codes(&self.call("publishNotificationEvents", input, fields).await)
    }

    /// Replays an event, to these targets or to all that may get it.
    pub async fn replay(&self, event: &str, targets: Option<&[&str]>) -> Value {
        let input = json!({ "notificationEventId": event, "targetIds": targets });
        self.call("replayNotificationEvent", input, ("NotificationEvent", "id name")).await
    }

    /// The attempts of an event, oldest first.
    pub async fn attempts(&self, event: &str) -> Vec<Value> {
        let fields = "... on NotificationEvent { deliveryAttempts(first: 200) { edges { node {
            id uri createdAt deliveryAttemptStatus failureReason responseExcerpt durationMs
            response { httpStatusCode } target { id } event { id } } } } }";
        let mut attempts = nodes(&self.node(event, fields).await["deliveryAttempts"]);
        attempts.reverse();
        attempts
    }

    /// The statuses of the attempts of an event, oldest first.
    pub async fn attempt_statuses(&self, event: &str) -> Vec<String> {
        let attempts = self.attempts(event).await;
        attempts.iter().map(|attempt| attempt["deliveryAttemptStatus"].as_str().unwrap().to_owned()).collect()
    }

    /// The statuses that a target went through, oldest first.
    pub async fn history(&self, target: &str) -> Vec<String> {
        let fields = "... on WebhookNotificationTarget { statusHistory(first: 200) { edges { node {
            previousStatus newStatus } } } }";
        let mut changes = nodes(&self.node(target, fields).await["statusHistory"]);
        changes.reverse();
        changes.iter().map(|change| change["newStatus"].as_str().unwrap().to_owned()).collect()
    }

    /// The secrets of a target's keys, newest first.
    pub async fn secrets(&self, target: &str) -> Vec<String> {
        let fields = "... on WebhookNotificationTarget { signingKeys { secret } }";
        let target = self.node(target, fields).await;
        let keys = target["signingKeys"].as_array().unwrap();
        keys.iter().map(|key| key["secret"].as_str().unwrap().to_owned()).collect()
    }
}

/// The `id` of an object.
pub fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id in {object}")).to_owned()
}

/// The nodes of a connection.
pub fn nodes(connection: &Value) -> Vec<Value> {
    let edges = connection["edges"].as_array().unwrap_or_else(|| panic!("no edges in {connection}"));
    edges.iter().map(|edge| edge["node"].clone()).collect()
}

/// The codes of a `UserError`, each with its path; `ACCESS_DENIED` for the other error.
pub fn codes(payload: &Value) -> Vec<(String, String)> {
    if payload["__typename"] == "AccessDeniedError" {
        return vec![("ACCESS_DENIED".to_owned(), String::new())];
    }
    let errors = payload["errors"].as_array().unwrap_or_else(|| panic!("no errors in {payload}"));
    let path = |error: &Value| {
        let steps = error["errorPath"].as_array().unwrap();
        steps.iter().map(|step| step.as_str().unwrap()).collect::<Vec<_>>().join(".")
    };
    errors.iter().map(|error| (error["code"].as_str().unwrap().to_owned(), path(error))).collect()
}
