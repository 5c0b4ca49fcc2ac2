//! The API as publishers see it: any replica may answer, late or not at all.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

/// How long a publisher waits for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Where the replicas listen that are thought to live.
#[derive(Clone, Default)]
pub(crate) struct Addresses(Arc<RwLock<Vec<Option<SocketAddr>>>>);

impl Addresses {
    pub(crate) fn set(&self, replica: usize, address: Option<SocketAddr>) {
        let mut addresses = self.0.write().unwrap();
        if addresses.len() <= replica {
            addresses.resize(replica + 1, None);
        }
        addresses[replica] = address;
    }

    /// One of them.
    pub(crate) fn any(&self) -> Option<SocketAddr> {
        let open: Vec<SocketAddr> = self.0.read().unwrap().iter().flatten().copied().collect();
        open.choose(&mut rand::rng()).copied()
    }
}

/// A client with a key.
#[derive(Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    authorization: String,
}

impl Api {
    #[expect(clippy::disallowed_methods, reason = "the client of a test is a stranger to the server's")]
    pub(crate) fn new(key: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(CALL_TIMEOUT).build().unwrap();
        Self { client, authorization: format!("Basic {}", BASE64_STANDARD.encode(format!("{key}:"))) }
    }

    /// The data of an answer without errors, by anyone who is there.
    pub(crate) async fn ask(
        &self,
        addresses: &Addresses,
        query: &str,
        variables: &Value,
    ) -> Result<Value, String> {
        self.ask_at(addresses.any().ok_or("nobody is there")?, query, variables).await
    }

    /// The data of an answer without errors.
    pub(crate) async fn ask_at(
        &self,
        address: SocketAddr,
        query: &str,
        variables: &Value,
    ) -> Result<Value, String> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self.client.post(format!("http://{address}/graphql"));
        let request = request.header("authorization", &self.authorization);
        let sent = request.header("content-type", "application/json").body(body).send().await;
        let bytes =
            sent.map_err(|error| error.to_string())?.bytes().await.map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if answer["errors"].is_null() { Ok(answer["data"].take()) } else { Err(answer.to_string()) }
    }
}
