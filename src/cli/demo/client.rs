//! A small GraphQL client.

use anyhow::ensure;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// Asks one server with one API key.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    authorization: String,
}

impl Client {
    /// A client of the server at `url`.
    #[expect(clippy::disallowed_methods, reason = "the demo's client is a stranger to the server's")]
    pub(super) fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:")));
        Ok(Self { http: reqwest::Client::builder().no_proxy().build()?, url: url.to_owned(), authorization })
    }

    /// The data of the answer.
    ///
    /// # Errors
    /// When the server cannot be reached, or the answer has errors.
    pub(super) async fn ask(&self, query: &str, variables: Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(&self.url)
            .header("authorization", &self.authorization)
            .header("content-type", "application/json")
            .body(json!({ "query": query, "variables": variables }).to_string());
        let answer: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
        ensure!(answer["errors"].is_null(), "the server answered {answer}");
        Ok(answer["data"].clone())
    }
}
