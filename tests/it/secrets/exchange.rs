//! The exchange of the key that secrets are encrypted with.

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use entity::signing_key;
use reprise::cli::rotation;
use reprise::rules::signature::Signer;
use reprise::store::signing_keys;
use reprise::vault::Vault;
use rstest::rstest;
use sea_orm::EntityTrait;
use secrecy::ExposeSecret;
use serde_json::json;

use super::site::active_target;
use world::program::{Server, Site};
use world::{On, World};

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
    assert!(rotated.status.success() && said.starts_with("1 secrets were encrypted again"), "{rotated:?}");
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
