//! A server that may open few files: what it has to deliver waits for its turn, and the API has room.

use std::process::Command;
use std::time::Duration;

use receiver::{Answer, Receiver};
use serde_json::{Value, json};

use world::On;
use world::api::nodes;
use world::program::{Server, Site};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const TARGETS: usize = 45;
const EVENTS: usize = 40;

/// Many receivers that take their time, each on a port of its own.
async fn receivers() -> Vec<Receiver> {
    let mut receivers = Vec::new();
    for _ in 0..TARGETS {
        let receiver = Receiver::start_plain().await.unwrap();
        receiver
            .script("/hook", [Answer::Status(200), Answer::Status(200).after(Duration::from_millis(1_500))]);
        receivers.push(receiver);
    }
    receivers
}

#[tokio::test]
async fn a_few_files_are_enough_for_many_slow_receivers_and_the_api() {
    let receivers = receivers().await;
    let mut site = Site::new(On::Sqlite).await.unwrap();
    site.set("REPRISE_ALLOW_HTTP_TARGETS", "true");
    site.set("REPRISE_PUBLISHING_RATE_LIMIT", "off");
    let [key, _] = site.make_keys();
    let reprise = site.command(&["serve"]);
    let mut command = Command::new("prlimit");
    command.arg("--nofile=512:512").arg(reprise.get_program()).args(reprise.get_args());
    command
        .current_dir(site.folder.path())
        .envs(reprise.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut server = Server::start(command);
    server.wait().await;
    let api = server.api(&key);
    let mut targets = Vec::new();
    for receiver in &receivers {
        targets.push(api.add_target(&receiver.uri("/hook"), &[ISSUED]).await);
    }
    for target in &targets {
        while api.status(target).await != "ACTIVE" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    api.publish_many(ISSUED, EVENTS).await;
    // The API answers, also to those who have no connection yet.
    while receivers.iter().any(|receiver| receiver.count("/hook") < 1 + EVENTS) {
        assert_eq!(server.api(&key).ok("{ ping }", json!({})).await["ping"], "pong");
        let ready = api.client().get(api.at("/readyz")).send().await.unwrap();
        let ready: Value = serde_json::from_slice(&ready.bytes().await.unwrap()).unwrap();
        assert_eq!(ready["status"], "ok", "{ready}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for target in &targets {
        let fields = "... on WebhookNotificationTarget {
            deliveryAttempts(first: 200) { edges { node { deliveryAttemptStatus failureReason } } } }";
        let mut attempts = Vec::new();
        // The last ones are written down a moment after they were answered.
        while attempts.len() < 1 + EVENTS {
            attempts = nodes(&api.node(target, fields).await["deliveryAttempts"]);
        }
        let success = json!({ "deliveryAttemptStatus": "SUCCESS", "failureReason": null });
        assert_eq!(attempts, vec![success; 1 + EVENTS]);
    }
    let (log, _) = server.stop().await;
    assert!(log.contains("the limit of open files allows fewer requests to receivers"), "{log}");
}
