//! What the log tells of a server that is well: the real program, and its lines as programs read them.

use std::process::Output;

use receiver::{Answer, Authority, Receiver};
use rstest::rstest;
use serde_json::{Value, json};

use world::api::id;
use world::program::{Server, Site};
use world::{Api, On};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

async fn site(on: On) -> Option<Site> {
    let mut site = Site::new(on).await?;
    site.set("REPRISE_LOG_FORMAT", "json");
    Some(site)
}

/// A target of this path, when the log says that it is active.
async fn active_target(server: &mut Server, api: &Api, site: &Site, path: &str) -> String {
    let target = api.add_target(&site.receiver.uri(path), &[ISSUED]).await;
    server.entry("a target is active", &[("target_id", &target)]).await;
    target
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_target_is_told(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(mut site) = site(on).await else { return };
    site.set("REPRISE_TEST_RETRIES", "attempts=2,first=1ms,jitter=0");
    site.set("REPRISE_ACTIVATION_RETRIES", "attempts=1");
    let [key, _] = site.make_keys();
    let mut server = site.serve().await;
    let api = server.api(&key);
    let target = active_target(&mut server, &api, &site, "/hook").await;
    let it = [("target_id", target.as_str())];
    let begun = server.entry("an activation was begun", &it).await;
    assert!(begun["organization"].as_str().unwrap().starts_with("org_"), "{begun}");
    let active = server.entry("a target is active", &it).await;
    assert_eq!((&active["attempt"], &active["status"]), (&json!(1), &json!(200)));

    site.receiver.script("/hook", [Answer::Status(500)]);
    let event = api.publish(ISSUED).await;
    let deactivated = server.entry("a target was deactivated", &it).await;
    let failed = server.entry("an attempt failed", &[("event_id", &event)]).await;
    assert_eq!((&failed["attempt"], &deactivated["attempt"]), (&json!(1), &json!(2)));
    assert!(failed["duration_ms"].is_u64(), "{failed}");
    for line in [&deactivated, &failed] {
        assert_eq!((&line["level"], &line["reason"]), (&json!("INFO"), &json!("STATUS")));
        assert_eq!((&line["status"], &line["event_id"]), (&json!(500), &json!(event)));
        assert_eq!((&line["organization"], &line["target_id"]), (&begun["organization"], &json!(target)));
    }

    api.on_target("activateNotificationTarget", &target).await;
    let failed = server.entry("an activation failed", &it).await;
    assert_eq!((&failed["reason"], &failed["status"]), (&json!("STATUS"), &json!(500)));
    api.on_target("removeNotificationTarget", &target).await;
    assert_eq!(server.entry("a target was removed", &it).await["reason"], "BY_HAND");
    let other = active_target(&mut server, &api, &site, "/other").await;
    api.on_target("deactivateNotificationTarget", &other).await;
    let deactivated = server.entry("a target was deactivated", &[("target_id", &other)]).await;
    assert_eq!((&deactivated["reason"], &deactivated["event_id"]), (&json!("BY_HAND"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_removed_after_a_while_is_told() {
    let mut site = site(On::Sqlite).await.unwrap();
    site.set("REPRISE_REMOVAL_AFTER", "1s");
    site.set("REPRISE_MAINTENANCE_INTERVAL", "50ms");
    let [key, _] = site.make_keys();
    let mut server = site.serve().await;
    let api = server.api(&key);
    let target = active_target(&mut server, &api, &site, "/hook").await;
    api.on_target("deactivateNotificationTarget", &target).await;
    let removed = server.entry("a target was removed", &[("target_id", &target)]).await;
    assert_eq!(removed["reason"], "EXPIRED");
}

/// Each event fails once, so what is told and what is counted are as many as were published.
#[tokio::test(flavor = "multi_thread")]
async fn failed_attempts_are_told_one_by_one_or_else_counted() {
    let mut site = site(On::Sqlite).await.unwrap();
    site.set("REPRISE_TEST_RETRIES", "attempts=2,first=1h");
    let [key, _] = site.make_keys();
    let mut server = site.serve().await;
    let api = server.api(&key);
    active_target(&mut server, &api, &site, "/hook").await;
    site.receiver.script("/hook", [Answer::Status(500)]);
    let (mut published, mut told, mut counted) = (0, 0, 0);
    while counted == 0 {
        published += api.publish_many(ISSUED, 200).await.len() as u64;
        while told + counted < published {
            let line = server.next_entry().await;
            match line["message"].as_str() {
                Some("an attempt failed") => told += 1,
                Some("more attempts failed") => counted += line["times"].as_u64().unwrap(),
                _ => {}
            }
        }
    }
    assert!(told >= 10 && told + counted == published, "{told} and {counted} of {published}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_told_during_an_attempt_says_which() {
    let site = site(On::Sqlite).await.unwrap();
    let [key, _] = site.make_keys();
    let mut server = site.serve().await;
    let stranger = Receiver::start(&Authority::new()).await.unwrap();
    let target = server.api(&key).add_target(&stranger.uri("/hook"), &[]).await;
    let line = server.entry("no secure connection to a receiver", &[]).await;
    assert_eq!((&line["span"]["target_id"], &line["span"]["attempt"]), (&json!(target), &json!(1)));
    assert!(line["span"]["event_id"].is_string(), "{line}");
}

/// The lines of a command with this message.
fn lines(output: &Output, message: &str) -> Vec<Value> {
    let log = String::from_utf8(output.stderr.clone()).unwrap();
    let entries = log.lines().map(|line| serde_json::from_str(line).unwrap());
    entries.filter(|entry: &Value| entry["message"] == message).collect()
}

/// What a command prints.
fn printed(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn keys_and_organizations_made_by_commands_are_told_and_keys_that_are_revoked() {
    let site = site(On::Sqlite).await.unwrap();
    let made = site.run(&["organizations", "create", "Customers", "--json"]);
    let rows = printed(&made);
    let organization = &lines(&made, "an organization was made")[0]["organization"];
    assert_eq!(organization, &rows[0]["organization"]);
    let keys = lines(&made, "an API key was made");
    for (key, row) in [0, 1].map(|number| (&keys[number], &rows[number])) {
        assert_eq!((&key["key_id"], &key["environment"]), (&row["id"], &row["environment"]));
    }

    let words = ["keys", "create", "--organization", organization.as_str().unwrap(), "--json"];
    let words = [&words[..], &["--environment", "live", "--kind", "platform", "--name", "Mine"]].concat();
    let made = site.run(&words);
    let (key, row) = (&lines(&made, "an API key was made")[0], &printed(&made)[0]);
    assert_eq!((&key["key_id"], &key["kind"]), (&row["id"], &json!("PLATFORM")));
    assert!(!key.to_string().contains(row["key"].as_str().unwrap()), "{key}");
    let revoke = ["keys", "revoke", row["id"].as_str().unwrap(), "--json"];
    let revoked = lines(&site.run(&revoke), "an API key was revoked");
    assert_eq!((revoked.len(), &revoked[0]["key_id"]), (1, &row["id"]));
    assert!(lines(&site.run(&revoke), "an API key was revoked").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_organizations_made_by_callers_are_told_with_the_key_that_made_them() {
    let site = site(On::Sqlite).await.unwrap();
    let mut server = site.serve().await;
    let first = server.entry("an organization was made", &[]).await;
    let organization = first["organization"].as_str().unwrap();
    let words = ["keys", "create", "--organization", organization, "--environment", "test", "--json"];
    let mine = printed(&site.run(&[&words[..], &["--kind", "platform", "--name", "Mine"]].concat()));
    let api = server.api(mine[0]["key"].as_str().unwrap());

    let input = json!({ "secretKey": { "name": "CI" } });
    let key = id(&api.call("createSecretAPIKey", input, ("APIKey", "id")).await);
    let made = server.entry("an API key was made", &[("key_id", &key)]).await;
    api.call("revokeAPIKey", json!({ "apiKeyId": key }), ("APIKey", "id")).await;
    let revoked = server.entry("an API key was revoked", &[("key_id", &key)]).await;
    for line in [made, revoked] {
        assert_eq!((&line["organization"], &line["span"]["key_id"]), (&json!(organization), &mine[0]["id"]));
    }
    let fields = ("CreatedOrganization", "organization { id } testKey { id } liveKey { id }");
    let made = api.call("createOrganization", json!({ "displayName": "Others" }), fields).await;
    let others = id(&made["organization"]);
    server.entry("an organization was made", &[("organization", &others)]).await;
    for key in ["testKey", "liveKey"].map(|name| id(&made[name])) {
        let line = server.entry("an API key was made", &[("key_id", &key)]).await;
        assert_eq!(line["organization"], others);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_names_its_caller_and_whoever_probes_is_not_heard() {
    let mut site = site(On::Sqlite).await.unwrap();
    let made = printed(&site.run(&["organizations", "create", "Customers", "--json"]));
    let mut server = site.serve().await;
    let api = server.api(made[0]["key"].as_str().unwrap());
    for path in ["/healthz", "/readyz"] {
        api.client().get(api.at(path)).send().await.unwrap();
    }
    assert_eq!(api.with_key("nobody").ask("{ ping }", json!({})).await.status, 401);
    api.ok("{ ping }", json!({})).await;
    let mut answered = Vec::new();
    while answered.len() < 2 {
        answered.extend(Some(server.next_entry().await).filter(|line| line["message"] == "answered"));
    }
    let [stranger, caller] = &answered[..] else { unreachable!() };
    assert_eq!((&stranger["status"], &stranger["span"]["key_id"]), (&json!(401), &Value::Null));
    assert_eq!((&caller["status"], &caller["span"]["key_id"]), (&json!(200), &made[0]["id"]));
    assert_eq!(caller["span"]["organization"], made[0]["organization"]);
    assert!(caller["duration_ms"].is_u64(), "{caller}");
    let (log, _) = server.stop().await;
    assert!(!log.contains("healthz") && !log.contains("readyz"), "{log}");

    site.set("REPRISE_LOG", "reprise=debug");
    let mut server = site.serve().await;
    let api = server.api(made[0]["key"].as_str().unwrap());
    api.client().get(api.at("/healthz")).send().await.unwrap();
    server.entry("answered", &[("path", "/healthz"), ("level", "DEBUG")]).await;
    let target = active_target(&mut server, &api, &site, "/hook").await;
    server.entry("an attempt succeeded", &[("target_id", &target), ("level", "DEBUG")]).await;
}

#[tokio::test]
async fn a_log_that_takes_nothing_ends_no_process() {
    let site = site(On::Sqlite).await.unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut create = site.command(&["organizations", "create", "Unheard", "--json"]);
    let output = create.stderr(full).output().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(made.to_string().contains("org_"), "{made}");
}
