//! Secrets stay secret: the real program at its most talkative, and what is left of
//! it afterwards. And the exchange of the key that they are encrypted with.

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use entity::signing_key;
use receiver::{Answer, Receiver};
use reprise::cli::rotation;
use reprise::db::Db;
use reprise::rules::signature::Signer;
use reprise::store::signing_keys;
use reprise::vault::Vault;
use rstest::rstest;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::world::api::codes;
use crate::world::program::{Server, Site};
use crate::world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// All that is in the database, and in files beside it but for the key.
async fn remains(site: &Site) -> Vec<u8> {
    let mut remains = Vec::new();
    for file in fs::read_dir(site.folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "key") {
            remains.extend(fs::read(path).unwrap());
        }
    }
    if site.url.starts_with("postgres") {
        let db = Db::open(&site.url).await.unwrap();
        let tables = "SELECT tablename::text AS it FROM pg_tables WHERE schemaname = 'public'";
        for table in rows(&db, tables).await {
            remains.extend(
                rows(&db, &format!("SELECT t::text AS it FROM {table} t")).await.concat().into_bytes(),
            );
        }
        db.close().await.unwrap();
    }
    remains
}

async fn rows(db: &Db, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.reader().get_database_backend(), sql);
    let rows = db.reader().query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "it").unwrap()).collect()
}

/// A target of this receiver that is active.
async fn active_target(api: &Api, receiver: &Receiver, path: &str) -> String {
    let input = json!({ "name": "A target", "uri": receiver.uri(path), "subscriptions": [ISSUED], "email": "owner@example.com" });
    let target = api.target("addWebhookNotificationTarget", input).await["id"].as_str().unwrap().to_owned();
    while api.status(&target).await != "ACTIVE" {
        tokio::task::yield_now().await;
    }
    target
}

fn contains(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_or_in_the_database(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(mut site) = Site::new(on).await else { return };
    site.set("REPRISE_LOG", "trace");
    site.set("REPRISE_LIVE_RETRIES", "attempts=1");
    // Nobody listens there, so the mail is tried and fails.
    site.set("REPRISE_SMTP_URL", "smtp://theUser:thePasswordOfTheMail@127.0.0.1:9");
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
    site.receiver.script("/hook", [Answer::Status(500)]);
    api.call("initiateNotificationPingTest", json!({ "targetId": target }), ("NotificationEvent", "id"))
        .await;
    // Whose delivery fails: then there is a mail to be sent.
    let platform = platform_key(&site, &api).await;
    server.api(&platform).publish(ISSUED).await;
    server.hear("the mail server did not take a mail").await;
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
    let key = fs::read_to_string(site.folder.path().join("reprise.key")).unwrap().trim().to_owned();
    let remains = remains(&site).await;
    assert!(contains(&remains, &target) && log.contains("hyper_util"), "this test looks in the wrong places");
    assert!(log.contains("TRACE"), "{log}");
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

/// The secrets of a target as the server tells them, which must be what signs.
async fn sign_with(server: &Server, site: &Site, key: &str, target: &str) -> Vec<String> {
    let api = server.api(key);
    let secrets = api.secrets(target).await;
    let input = json!({ "targetId": target });
    api.call("initiateNotificationPingTest", input, ("NotificationEvent", "id")).await;
    let request = site.receiver.next("/hook").await;
    let expected = Signer::new(secrets.iter().map(String::as_str)).header(&request.body);
    assert_eq!(request.header("highnote-signature"), Some(expected.as_str()));
    secrets
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_encryption_key_is_exchanged_while_servers_run(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(site) = Site::new(on).await else { return };
    let [_, key] = site.make_keys();
    let server = site.serve().await;
    let target = active_target(&server.api(&key), &site.receiver, "/hook").await;
    site.receiver.next("/hook").await;
    let before = sign_with(&server, &site, &key, &target).await;
    server.stop().await;

    // First all servers learn the new key, then they seal with it, then the old one goes.
    let file = site.folder.path().join("reprise.key");
    let (old, new) = (fs::read_to_string(&file).unwrap(), "ab".repeat(32));
    let restart_with = async |keys: String| {
        fs::write(&file, keys).unwrap();
        site.serve().await
    };
    let server = restart_with(format!("{old}{new}\n")).await;
    assert_eq!(sign_with(&server, &site, &key, &target).await, before);
    server.stop().await;
    let server = restart_with(format!("{new}\n{old}")).await;
    server.api(&key).on_target("rotateNotificationTargetSigningKey", &target).await;
    let both = sign_with(&server, &site, &key, &target).await;
    let rotated = site.run(&["keys", "rotate-encryption"]);
    let said = String::from_utf8_lossy(&rotated.stdout);
    assert!(rotated.status.success() && said.starts_with("1 secrets were encrypted anew"), "{rotated:?}");
    assert_eq!(sign_with(&server, &site, &key, &target).await, both);
    server.stop().await;
    let server = restart_with(format!("{new}\n")).await;
    assert_eq!((sign_with(&server, &site, &key, &target).await, &both[1]), (both.clone(), &before[0]));
    server.stop().await;

    fs::write(&file, old).unwrap();
    let complaint = site.complaint(&["serve"]);
    assert!(complaint.contains("the encryption key is not the one of this database"), "{complaint}");
    let complaint = site.complaint(&["keys", "rotate-encryption"]);
    assert!(complaint.contains("none of the keys opens these, which stay as they were: nsk_"), "{complaint}");
    fs::write(&file, new).unwrap();
    site.serve().await.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_made_where_no_server_would_miss_it(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(mut site) = Site::new(on).await else { return };
    let [_, key] = site.make_keys();
    let server = site.serve().await;
    let target = active_target(&server.api(&key), &site.receiver, "/hook").await;
    site.receiver.next("/hook").await;
    let secrets = sign_with(&server, &site, &key, &target).await;
    let file = site.folder.path().join("reprise.key");
    let keys = || fs::read_to_string(&file).unwrap().lines().count();
    let rotate = ["keys", "rotate-encryption", "--new-key"];
    let complaint = site.complaint(&rotate);
    let why = match on {
        On::Sqlite => "another reprise serves this database already",
        On::Postgres => "other servers on this database would not have the new key",
    };
    assert!(complaint.contains(why), "{complaint}");
    server.stop().await;
    assert_eq!(keys(), 1);
    if matches!(on, On::Postgres) {
        return;
    }
    for number in 2..4 {
        let rotated = site.run(&rotate);
        assert!(rotated.status.success(), "{rotated:?}");
        assert_eq!(keys(), number);
    }
    let newest = fs::read_to_string(&file).unwrap().lines().next().unwrap().to_owned();
    fs::write(&file, &newest).unwrap();
    let server = site.serve().await;
    assert_eq!(sign_with(&server, &site, &key, &target).await, secrets);
    server.stop().await;
    fs::remove_file(&file).unwrap();
    assert!(site.complaint(&["serve"]).contains("is missing"));
    site.set("REPRISE_ENCRYPTION_KEY", newest);
    let complaint = site.complaint(&rotate);
    assert!(complaint.contains("the key is in REPRISE_ENCRYPTION_KEY"), "{complaint}");
}

/// Lets the future take so many steps, and drops it.
async fn cut_off<T>(steps: usize, future: impl Future<Output = T>) -> Option<T> {
    let (mut left, mut future) = (steps, pin!(future));
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[rstest]
#[tokio::test]
async fn wherever_the_exchange_is_cut_off_every_secret_opens(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[]).await.parse().unwrap();
    let world = world.without_engine().await;
    let (db, now) = (&world.app.db, world.app.now());
    let tx = db.begin().await.unwrap();
    for number in 1..250 {
        signing_keys::add(&tx, &target, &number.to_string(), &world.app.vault, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let vault = Vault::with_previous(&[8; 32], [&[7; 32]]);
    for steps in 0.. {
        let ended = cut_off(steps * 40, rotation::reseal(db, &vault)).await;
        let keys = signing_key::Entity::find().all(db.reader()).await.unwrap();
        let mut texts: Vec<_> = keys
            .iter()
            .filter_map(|key| {
                let secret = vault.open(key.id.as_str(), &key.sealed_secret).unwrap();
                secret.expose_secret().parse::<u32>().ok()
            })
            .collect();
        texts.sort_unstable();
        assert!(texts.into_iter().eq(1..250));
        if let Some(done) = ended {
            assert!(done.unwrap().unopened.is_empty());
            break;
        }
    }
    let new = Vault::new(&[8; 32]);
    for key in signing_key::Entity::find().all(db.reader()).await.unwrap() {
        assert!(new.open(key.id.as_str(), &key.sealed_secret).is_ok());
    }
    assert_eq!(rotation::reseal(db, &vault).await.unwrap().count, 0);
}

#[rstest]
#[tokio::test]
async fn a_damaged_secret_holds_up_no_other(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[]).await.parse().unwrap();
    let world = world.without_engine().await;
    let (db, now) = (&world.app.db, world.app.now());
    let tx = db.begin().await.unwrap();
    let damaged = signing_keys::add(&tx, &target, "damaged", &world.app.vault, now).await.unwrap();
    signing_keys::add(&tx, &target, "sound", &world.app.vault, now).await.unwrap();
    let mut changed = damaged.sealed_secret.clone();
    *changed.last_mut().unwrap() ^= 1;
    signing_keys::reseal(&tx, &damaged, changed).await.unwrap();
    tx.commit().await.unwrap();
    let vault = Vault::with_previous(&[8; 32], [&[7; 32]]);
    let done = rotation::reseal(db, &vault).await.unwrap();
    assert_eq!((done.count, done.unopened), (2, vec![damaged.id]));
}
