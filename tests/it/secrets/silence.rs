//! No secret is where somebody could read it who should not.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use receiver::Answer;
use rstest::rstest;
use serde_json::{Value, json};

use super::ISSUED;
use super::site::{active_target, remains};
use world::api::codes;
use world::mailbox::Mailbox;
use world::program::Site;
use world::{Api, On};

/// What the receiver says.
const SAID: &str = "whatever the receiver says";

/// What the log tells of the targets and keys of this story.
const TOLD: [&str; 8] = [
    "an activation was begun",
    "a target is active",
    "an attempt succeeded",
    "an attempt failed",
    "a target was deactivated",
    "an API key was made",
    "an API key was revoked",
    "answered",
];

fn contains(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_or_in_the_database(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(mut site) = Site::new(on).await else { return };
    site.set("REPRISE_LOG", "trace");
    site.set("REPRISE_LIVE_RETRIES", "attempts=1");
    let mailbox = Mailbox::closed();
    site.set("REPRISE_SMTP_URL", mailbox.url().replace("://", "://theUser:thePasswordOfTheMail@"));
    site.set("REPRISE_MAIL_FROM", "reprise@example.com");
    let customer = site.make_keys();
    let mut server = site.serve().await;
    let api = server.api(&customer[1]);
    let input = json!({ "secretKey": { "name": "CI" } });
    let made = api.call("createSecretAPIKey", input, ("APIKey", "id key")).await;
    let made_key = made["key"].as_str().unwrap().to_owned();
    let target = active_target(&server.api(&made_key), &site.receiver, "/hook").await;
    api.on_target("rotateNotificationTargetSigningKey", &target).await;
    let mut secrets = api.secrets(&target).await;
    assert_eq!(secrets.len(), 2);
    let unknown = customer[1].replace("sk_live_", "sk_test_");
    assert_eq!(server.api(&unknown).ask("{ ping }", json!({})).await.status, 401);
    assert_eq!(server.api("notEvenAKeyButSecret").ask("{ ping }", json!({})).await.status, 401);
    site.receiver.script("/hook", [Answer::body(500, SAID)]);
    api.call("initiateNotificationPingTest", json!({ "targetId": target }), ("NotificationEvent", "id"))
        .await;
    // Whose delivery fails: then there is a mail to be sent.
    let platform = platform_key(&site, &api).await;
    server.api(&platform).publish(ISSUED).await;
    server.hear("the mail server did not take a mail").await;
    assert_eq!(mailbox.passwords()[0], "thePasswordOfTheMail");
    assert_eq!(
        codes(&api.call("revokeAPIKey", json!({ "apiKeyId": "x" }), ("APIKey", "id")).await)[0].0,
        "NOT_FOUND"
    );
    api.call("revokeAPIKey", json!({ "apiKeyId": made["id"] }), ("APIKey", "id")).await;
    assert_eq!(server.api(&made_key).ask("{ ping }", json!({})).await.status, 401);
    let (log, stdout) = server.stop().await;

    let keys = customer.iter().chain([&made_key, &platform, &unknown]).cloned();
    secrets.extend(
        keys.chain(["notEvenAKeyButSecret".to_owned()])
            .flat_map(|key| [BASE64_STANDARD.encode(&key), BASE64_STANDARD.encode(format!("{key}:")), key]),
    );
    secrets.extend(["thePasswordOfTheMail", "thePasswordOfTheDatabase"].map(str::to_owned));
    secrets.push(BASE64_STANDARD.encode("\0theUser\0thePasswordOfTheMail"));
    let key = fs::read_to_string(site.folder.path().join("reprise.key")).unwrap().trim().to_owned();
    let remains = remains(&site).await;
    assert!(contains(&remains, &target) && log.contains("hyper_util"), "this test looks in the wrong places");
    assert!(log.contains("TRACE"), "{log}");
    for told in TOLD {
        let mut lines = log.lines().filter(|line| line.contains(told)).peekable();
        assert!(lines.peek().is_some(), "{told} is not in the log");
        // What strangers choose, and what they say.
        assert!(
            lines.all(|line| !["A target", "/hook", "owner@", "CI", SAID]
                .iter()
                .any(|word| line.contains(word)))
        );
    }
    let raw = hex::decode(&key).unwrap();
    assert!(!remains.windows(raw.len()).any(|window| window == raw));
    for secret in secrets.iter().chain([&key]) {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
        assert!(!stdout.contains(secret.as_str()), "{secret} is in the output");
        assert!(!contains(&remains, secret), "{secret} is in the database");
    }
}

/// A PLATFORM key to the organization of `api`.
async fn platform_key(site: &Site, api: &Api) -> String {
    let organization = api.ok("{ organizations { id } }", json!({})).await;
    let organization = organization["organizations"][0]["id"].as_str().unwrap();
    let words = ["keys", "create", "--organization", organization, "--environment", "live"];
    let output = site.run(&[&words[..], &["--kind", "platform", "--name", "Mine", "--json"]].concat());
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    made[0]["key"].as_str().unwrap_or_else(|| panic!("{output:?}")).to_owned()
}

#[rstest]
#[case("DATABASE_URL", "postgres://u:theSecret@127.0.0.1:1/name")]
#[case("DATABASE_URL", "postgres://u@127.0.0.1:1/name?password=theSecret")]
#[case("DATABASE_URL", "postgres://u:theSecret@127.0.0.1:port/name")]
#[case("DATABASE_URL", "postgres://u:theSecret@127.0.0.1:1/name?sslmode=none")]
#[case("DATABASE_URL", "mysql://u:theSecret@127.0.0.1/name")]
#[case("REPRISE_ENCRYPTION_KEY", "theSecret")]
#[case("REPRISE_SMTP_URL", "smtp://u:theSecret@mail:port")]
#[case("REPRISE_SMTP_URL", "imap://u:theSecret@mail")]
#[case("REPRISE_SMTP_URL", "theSecret")]
#[case("REPRISE_SMTP_URL", "smtp://u:theSecret@mail?tls=none")]
#[tokio::test]
async fn a_setting_that_cannot_be_used_is_not_repeated(#[case] name: &'static str, #[case] value: &str) {
    let mut site = Site::new(On::Sqlite).await.unwrap();
    site.set("REPRISE_LOG", "trace");
    site.set("REPRISE_MAIL_FROM", "reprise@example.com");
    site.set("REPRISE_SMTP_URL", "smtp://localhost");
    site.set(name, value);
    // A server would wait for a database that does not answer.
    let complaint = site.complaint(&[if value.contains(":1/") { "migrate" } else { "serve" }]);
    assert!(complaint.contains("error: ") && !complaint.contains("theSecret"), "{complaint}");
}
