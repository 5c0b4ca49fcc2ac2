//! `reprise demo`: the main job in a few seconds, with real parts.
//!
//! A server on a temporary database, a real HTTPS receiver with a certificate of
//! its own authority, and a client that speaks GraphQL over HTTP. Only the pauses
//! between retries are shorter than usual.

mod client;
mod transcript;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use entity::{ApiKeyKind, Environment};
use receiver::{Answer, Authority, Receiver};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{App, Settings};
use crate::auth::issue_keys::{self, Order};
use crate::cli::output::say;
use crate::cli::running::Running;
use crate::clock::Clock;
use crate::db::Db;
use crate::rules::retry::Backoff;
use crate::store::{Scope, organizations};
use crate::vault::{self, Vault};
use client::Client;
use transcript::Transcript;

const ANY_PORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
const GRACE: Duration = Duration::from_secs(2);
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY: Backoff = Backoff { attempts: 4, first: Duration::from_secs(1), factor: 2, jitter: 0.0 };
const NAME: &str = "PAYMENT_CARD_ISSUED";

/// The demo has no settings.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {}

/// Shows the main job, and fails if any part of it does.
pub(crate) async fn run(_: Options) -> anyhow::Result<()> {
    say("This shows the main job in about five seconds: activate, deliver, retry, rotate, replay.\n\
         It talks to itself only, and leaves nothing behind.\n")?;
    let folder = TempDir::new()?;
    let authority = Authority::new();
    let receiver = Receiver::start(&authority).await?;
    let extra_ca = folder.path().join("authority.pem");
    std::fs::write(&extra_ca, authority.pem())?;
    let vault = Vault::new(&vault::random());
    let app = App::new(open(&folder).await?, Clock::system(), vault, settings(extra_ca))?;
    let key = first_key(&app).await?;
    let server = Running::start(app, ANY_PORT).await?;

    let url = format!("http://{}/graphql", server.address);
    say(&format!(
        "A server on a temporary database at {url}, and a receiver at {}.\n\
         A failed delivery is tried again after 1 second here; in production after seconds to hours.",
        receiver.uri("/hook")
    ))?;
    let client = Client::new(&url, &key)?;
    Story { client, receiver, transcript: Transcript::default() }.tell().await?;
    server.stop(GRACE).await?;
    say("\nThat was all: added, activated, delivered, retried, rotated, replayed.")
}

async fn open(folder: &TempDir) -> anyhow::Result<Db> {
    Db::open(&format!("sqlite://{}", folder.path().join("reprise.db").display())).await
}

fn settings(extra_ca: PathBuf) -> Settings {
    let mut settings = Settings::default();
    settings.outbound.extra_ca = Some(extra_ca);
    settings.schedules.test = RETRY;
    settings.outbound.uris.private = true;
    settings.look_interval = Duration::from_millis(100);
    settings
}

async fn first_key(app: &App) -> anyhow::Result<String> {
    let tx = app.db.begin().await?;
    let organization = organizations::add(&tx, "Demo", app.now()).await?;
    let scope = Scope { organization: organization.id, environment: Environment::Test };
    let order = Order { kind: ApiKeyKind::Platform, name: "demo", by: None };
    let issued = issue_keys::key(&tx, &scope, order, app.now()).await?;
    tx.commit().await?;
    Ok(issued.key.expose_secret().to_owned())
}

/// The steps of the demo.
struct Story {
    client: Client,
    receiver: Receiver,
    transcript: Transcript,
}

impl Story {
    async fn tell(&mut self) -> anyhow::Result<()> {
        let target = self.add_target().await?;
        self.publish_with_a_failure(&target).await?;
        let event = self.rotate_and_publish(&target).await?;
        self.replay(&event, &target).await
    }

    async fn add_target(&mut self) -> anyhow::Result<String> {
        self.transcript.step("Add a target; it is sent an activation, and becomes active by its 2xx")?;
        let input = json!({ "name": "Demo", "uri": self.receiver.uri("/hook"), "subscriptions": [NAME] });
        let answer = "WebhookNotificationTarget { id status }";
        let added = self.mutate("addWebhookNotificationTarget", input, answer).await?;
        let target = text(&added["id"])?;
        self.receive(&target).await?;
        self.wait_until_active(&target).await?;
        Ok(target)
    }

    async fn wait_until_active(&mut self, target: &str) -> anyhow::Result<()> {
        let query = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget { id status } } }";
        let active = async {
            loop {
                let data = self.client.ask(query, json!({ "id": target })).await?;
                if data["node"]["status"] == "ACTIVE" {
                    return anyhow::Ok(data);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let data = tokio::time::timeout(STEP_TIMEOUT, active)
            .await
            .context("the target did not become active")??;
        Transcript::request(query, &json!({ "id": target }), &data)
    }

    async fn publish_with_a_failure(&mut self, target: &str) -> anyhow::Result<()> {
        self.transcript.step("Publish an event; the receiver answers 500 first, so it is tried again")?;
        self.receiver.script("/hook", [Answer::Status(500), Answer::Status(200)]);
        self.publish("first").await?;
        self.receive(target).await?;
        self.receive(target).await
    }

    async fn rotate_and_publish(&mut self, target: &str) -> anyhow::Result<String> {
        self.transcript.step("Rotate the signing key; for a day both keys sign")?;
        let answer = "WebhookNotificationTarget { signingKeys { id expiresAt } }";
        self.mutate("rotateNotificationTargetSigningKey", json!({ "targetId": target }), answer).await?;
        let event = self.publish("second").await?;
        self.receive(target).await?;
        Ok(event)
    }

    async fn replay(&mut self, event: &str, target: &str) -> anyhow::Result<()> {
        self.transcript.step(
            "Replay the event; it has the header highnote-replay, a new timestamp and a new signature",
        )?;
        let input = json!({ "notificationEventId": event, "targetIds": [target] });
        self.mutate("replayNotificationEvent", input, "NotificationEvent { id name }").await?;
        self.receive(target).await
    }

    async fn publish(&mut self, what: &str) -> anyhow::Result<String> {
        let input = json!({ "events": [{ "name": NAME, "node": { "id": "pc_demo", "what": what } }] });
        let answer = "PublishedNotificationEvents { events { id } }";
        let made = self.mutate("publishNotificationEvents", input, answer).await?;
        text(&made["events"][0]["id"])
    }

    async fn mutate(&mut self, mutation: &str, input: Value, answer: &str) -> anyhow::Result<Value> {
        let type_name = mutation[..1].to_uppercase() + &mutation[1..];
        let query = format!(
            "mutation($input: {type_name}Input!) {{ {mutation}(input: $input) {{ \
             ... on {answer} ... on UserError {{ errors {{ code description }} }} }} }}"
        );
        let variables = json!({ "input": input });
        let data = self.client.ask(&query, variables.clone()).await?;
        Transcript::request(&query, &variables, &data)?;
        Ok(data[mutation].clone())
    }

    /// Waits for the next notification, and verifies its signatures with the target's secrets.
    async fn receive(&mut self, target: &str) -> anyhow::Result<()> {
        let next = self.receiver.next("/hook");
        let received = tokio::time::timeout(STEP_TIMEOUT, next).await.context("no notification came")?;
        let query = "query($id: ID!) { node(id: $id) { ... on WebhookNotificationTarget { signingKeys { secret } } } }";
        let data = self.client.ask(query, json!({ "id": target })).await?;
        let keys = data["node"]["signingKeys"].as_array().context("the target has no keys")?;
        let secrets: Vec<&str> = keys.iter().filter_map(|key| key["secret"].as_str()).collect();
        Transcript::webhook(&received, &secrets)
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().with_context(|| format!("the server answered {value}"))?.to_owned())
}
