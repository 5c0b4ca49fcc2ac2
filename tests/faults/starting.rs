//! The real program starts while its database is away: it waits for what passes, and ends
//! with a clear word where waiting would not help.

use std::fs;

use rstest::rstest;
use sea_orm::ConnectionTrait;
use serde_json::json;
use url::Url;

use crate::own::{Own, beside};
use world::program::Site;
use world::{On, World};

#[tokio::test]
async fn a_server_waits_for_a_database_that_starts_after_it() {
    let Some(own) = Own::start() else { return };
    let site = Site::at(&own.url()).await;
    let [key, _] = site.make_keys();
    own.crash();
    let mut server = site.begin_to_serve();
    for _ in 0..2 {
        let line = server.hear("the database is away; trying again").await;
        assert!(line.contains("WARN") && line.contains("could not be opened"), "{line}");
    }
    own.recover();
    server.wait().await;
    assert_eq!(server.api(&key).ok("{ ping }", json!({})).await["ping"], "pong");
    let (log, _) = server.stop().await;
    assert!(log.contains("the database is there"), "{log}");

    // Who waits ends when asked to.
    own.crash();
    let mut server = site.begin_to_serve();
    server.hear("the database is away; trying again").await;
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_password_ends_the_start_at_once() {
    let Some(own) = Own::start() else { return };
    let world = World::at(&own.url(), |_| {}).await;
    let role = "CREATE ROLE stranger LOGIN PASSWORD 'the right one'";
    beside(&world).await.execute_unprepared(role).await.unwrap();
    fs::write(own.files().join("pg_hba.conf"), "local all all scram-sha-256\n").unwrap();
    own.crash();
    own.recover();
    let url = own.url().replace("postgres@", "stranger:theSecret@");
    let complaint = Site::at(&url).await.complaint(&["serve"]);
    assert!(
        complaint.contains("error: ") && complaint.contains("password authentication failed"),
        "{complaint}"
    );
    assert!(!complaint.contains("theSecret") && !complaint.contains("away"), "{complaint}");
}

#[rstest]
#[case::database(|url: &mut Url| url.set_path("/reprise_nowhere"))]
#[case::user(|url: &mut Url| url.set_username("nobody_we_know").unwrap())]
#[tokio::test]
async fn errors_that_do_not_heal_end_the_start_at_once(#[case] spoil: fn(&mut Url)) {
    let Some(world) = World::on(On::Postgres).await else { return };
    let mut url = Url::parse(world.database_url()).unwrap();
    spoil(&mut url);
    let complaint = Site::at(url.as_str()).await.complaint(&["serve"]);
    assert!(complaint.starts_with("error: the database "), "{complaint}");
    assert!(complaint.contains("does not exist") && !complaint.contains("away"), "{complaint}");
}

#[rstest]
#[tokio::test]
async fn tables_of_a_newer_version_end_the_start_at_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_future', 0)";
    beside(&world).await.execute_unprepared(newer).await.unwrap();
    let complaint = Site::at(world.database_url()).await.complaint(&["serve"]);
    assert!(complaint.contains("newer version of reprise") && !complaint.contains("away"), "{complaint}");
}
