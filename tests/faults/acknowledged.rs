//! What the real server acknowledged around a disk in trouble is there: for another connection while it
//! runs, after `kill -9`, and after a restart.

use std::collections::HashSet;
use std::time::Duration;

use rstest::rstest;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, Statement};
use serde_json::{Value, json};

use crate::endurance::{ISSUED, becomes, publish, readiness};
use world::Api;
use world::program::{Server, Site};
use world::small_disk::{Disk, Manner, confined};

/// A name that nobody has subscribed to, with a payload that needs room.
fn big() -> Value {
    json!({ "name": "PAYMENT_CARD_CLOSED", "node": { "big": "x".repeat(30_000) } })
}

/// What was acknowledged, by the table that it is found in.
#[derive(Default)]
struct Ledger {
    events: Vec<String>,
    targets: Vec<String>,
}

impl Ledger {
    /// Publishes until it is acknowledged.
    async fn publish(&mut self, api: &Api) {
        loop {
            if let Ok(ids) = publish(api, &[json!({ "name": ISSUED, "node": {} })]).await {
                return self.events.extend(ids);
            }
        }
    }

    /// Publishes until nothing more is taken.
    async fn publish_until_refused(&mut self, api: &Api) {
        while let Ok(ids) = publish(api, &[big()]).await {
            self.events.extend(ids);
        }
    }

    async fn add_target(&mut self, api: &Api, uri: &str) {
        self.targets.push(api.add_target(uri, &["PAYMENT_CARD_ACTIVATED"]).await);
    }

    /// Looks for all of it through another connection.
    async fn is_there(&self, url: &str) {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.unwrap();
        for (table, ids) in [("event", &self.events), ("target", &self.targets)] {
            let all = Statement::from_string(db.get_database_backend(), format!("SELECT id FROM {table}"));
            let rows = db.query_all_raw(all).await.unwrap();
            let found: HashSet<String> = rows.iter().map(|row| row.try_get("", "id").unwrap()).collect();
            let missing = ids.iter().filter(|id| !found.contains(*id)).count();
            assert_eq!(missing, 0, "of {} in {table} that were acknowledged", ids.len());
        }
        db.close().await.unwrap();
    }

    /// Asks the server for all of it.
    async fn is_told(&self, api: &Api) {
        for id in self.events.iter().chain(&self.targets) {
            assert!(!api.node(id, "").await.is_null(), "{id} was acknowledged");
        }
    }
}

/// A change that is refused for certain, so that its transaction is undone.
async fn remove_unknown(api: &Api) {
    let query = r#"mutation { removeNotificationTarget(input: {targetId: "nt_00000000000000000000000000000000"}) {
        ... on UserError { errors { code } } } }"#;
    while !api.ask(query, json!({})).await.body.to_string().contains("NOT_FOUND") {}
}

async fn serve(site: &Site) -> Server {
    let mut server = Server::start(confined(&site.command(&["serve"])));
    server.wait().await;
    server
}

#[rstest]
#[tokio::test]
async fn everything_acknowledged_after_a_full_or_failing_disk_is_stored(
    #[values(Manner::Full, Manner::Failing)] manner: Manner,
) {
    let disk = Disk::new(manner);
    let site = Site::at(&disk.url()).await;
    let [key, _] = site.make_keys();
    let server = serve(&site).await;
    let api = server.api(&key);
    let mut ledger = Ledger::default();
    // Each time it is another statement that fails, the commit among them.
    for left in [0, 4, 8, 16, 24, 36, 64, 100] {
        ledger.publish(&api).await;
        disk.spoil(server.pid(), left * 1_024);
        ledger.publish_until_refused(&api).await;
        disk.heal(Some(server.pid()));
        remove_unknown(&api).await;
        for _ in 0..5 {
            ledger.publish(&api).await;
        }
        becomes(&api, 200).await;
        ledger.add_target(&api, &site.receiver.uri("/hook")).await;
        ledger.is_there(&site.url).await;
    }
    server.kill();
    ledger.is_there(&site.url).await;
    let server = serve(&site).await;
    ledger.is_told(&server.api(&key)).await;
    server.stop().await;
}

#[tokio::test]
async fn everything_acknowledged_before_a_disk_turned_read_only_is_stored() {
    let disk = Disk::new(Manner::ReadOnly);
    let site = Site::at(&disk.url()).await;
    let [key, _] = site.make_keys();
    let server = serve(&site).await;
    let api = server.api(&key);
    let mut ledger = Ledger::default();
    ledger.add_target(&api, &site.receiver.uri("/hook")).await;
    for _ in 0..5 {
        ledger.publish(&api).await;
    }
    disk.spoil(server.pid(), 0);
    ledger.publish_until_refused(&api).await;
    becomes(&api, 503).await;
    // It stays so, for longer than a failure is remembered.
    for _ in 0..5 {
        assert!(publish(&api, &[json!({ "name": ISSUED, "node": {} })]).await.is_err());
        assert_eq!(readiness(&api).await, 503);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    server.kill();
    disk.heal(None);
    ledger.is_there(&site.url).await;
    let server = serve(&site).await;
    let api = server.api(&key);
    ledger.is_told(&api).await;
    for _ in 0..5 {
        ledger.publish(&api).await;
    }
    ledger.is_there(&site.url).await;
    server.stop().await;
}
