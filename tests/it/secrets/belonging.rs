//! The encryption key belongs to the database: who has another one does not start; and what is damaged holds up
//! nobody.

use std::fs;

use rstest::rstest;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use serde_json::json;

use super::site::active_target;
use world::On;
use world::program::Site;

/// Says something to the database, beside the server.
async fn tell(site: &Site, statement: &str) {
    let mut options = ConnectOptions::new(&site.url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    db.execute_unprepared(statement).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_servers_that_start_at_once_with_keys_of_their_own_one_starts() {
    let Some(first) = Site::new(On::Postgres).await else { return };
    let second = Site::at(&first.url).await;
    let [_, key] = first.make_keys();
    let sites = [&first, &second];
    let mut servers = sites.map(Site::begin_to_serve);
    let [one, two] = &mut servers;
    let outcomes = tokio::join!(one.listens(), two.listens());
    let (winner, complaint) = match outcomes {
        (Ok(()), Err(complaint)) => (0, complaint),
        (Err(complaint), Ok(())) => (1, complaint),
        both => panic!("{both:?}"),
    };
    assert!(complaint.contains("copy it from a server that works on this database"), "{complaint}");
    let target = active_target(&servers[winner].api(&key), &first.receiver, "/hook").await;

    // With a key of its own it does not start either; with the other's it does, and opens what that sealed.
    let [own, others] = [1 - winner, winner].map(|site| sites[site].folder.path().join("reprise.key"));
    fs::write(&own, "ab".repeat(32)).unwrap();
    let complaint = sites[1 - winner].complaint(&["serve"]);
    assert!(
        complaint.contains("the encryption key is not the one of this database (its id is "),
        "{complaint}"
    );
    fs::copy(others, own).unwrap();
    let server = sites[1 - winner].serve().await;
    assert_eq!(server.api(&key).secrets(&target).await, servers[winner].api(&key).secrets(&target).await);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_has_sealed_nothing_is_missed_where_others_may_have_it(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(site) = Site::new(on).await else { return };
    site.make_keys();
    site.serve().await.stop().await;
    let file = site.folder.path().join("reprise.key");
    fs::remove_file(&file).unwrap();
    if matches!(on, On::Postgres) {
        let complaint = site.complaint(&["serve"]);
        assert!(complaint.contains("has an encryption key already"), "{complaint}");
        // Whoever knows that there is no other server says so.
        fs::write(&file, "ab".repeat(32)).unwrap();
        assert!(site.run(&["keys", "rotate-encryption"]).status.success());
    }
    site.serve().await.stop().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_before_keys_were_recorded_gets_the_one_that_opens_it(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(site) = Site::new(on).await else { return };
    let [_, key] = site.make_keys();
    let server = site.serve().await;
    active_target(&server.api(&key), &site.receiver, "/hook").await;
    server.stop().await;
    tell(&site, "DELETE FROM encryption_key").await;
    let file = site.folder.path().join("reprise.key");
    let right = fs::read_to_string(&file).unwrap();
    for attempt in 0..2 {
        fs::write(&file, "ab".repeat(32)).unwrap();
        let complaint = site.complaint(&["serve"]);
        assert!(complaint.contains("is not the one of this database"), "{attempt}: {complaint}");
        fs::write(&file, &right).unwrap();
        site.serve().await.stop().await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn damaged_secrets_do_not_prevent_a_start(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(site) = Site::new(on).await else { return };
    let [_, key] = site.make_keys();
    let server = site.serve().await;
    let api = server.api(&key);
    let (damaged, sound) = (["/sealed", "/cut", "/unreadable"], "/sound");
    let mut targets = Vec::new();
    for path in damaged.into_iter().chain([sound]) {
        targets.push(active_target(&api, &site.receiver, path).await);
        site.receiver.next(path).await;
    }
    server.stop().await;
    let secrets = match on {
        On::Sqlite => ["x'0badc0de0badc0de'", "x'0b'"],
        On::Postgres => [r"'\x0badc0de0badc0de'", r"'\x0b'"],
    };
    for (secret, id) in secrets.iter().zip(&targets) {
        tell(&site, &format!("UPDATE signing_key SET sealed_secret = {secret} WHERE target_id = '{id}'"))
            .await;
    }
    tell(&site, &format!("UPDATE target SET uri = 'http:// no' WHERE id = '{}'", targets[2])).await;

    let mut server = site.serve().await;
    for target in &targets {
        let input = json!({ "targetId": target });
        server.api(&key).call("initiateNotificationPingTest", input, ("NotificationEvent", "id")).await;
    }
    site.receiver.next(sound).await;
    for (target, why) in targets.iter().zip(["for the encryption key", "for the encryption key", "for a URI"])
    {
        server.heard(&[target.as_str(), "deliveries wait", why]).await;
    }
    let (log, _) = server.stop().await;
    assert!(log.contains("0badc0de"), "it is told at the start: {log}");
    for path in damaged {
        assert_eq!(site.receiver.count(path), 1, "{path}");
    }
}
