//! The ways to a PostgreSQL: by an address, by a socket, encrypted; as a role with few rights, and with settings of
//! its own.

use std::fs;

use fail::FailScenario;
use receiver::Authority;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};

use crate::own::Own;
use world::program::Site;
use world::{World, authority, install_crypto};

const LIST: [&str; 2] = ["organizations", "list"];

#[tokio::test]
async fn a_database_is_reached_by_addresses_and_by_its_socket() {
    install_crypto();
    let Some((own, port)) = Own::start_with_tls(authority()) else { return };
    let folder = own.files().parent().unwrap().display().to_string();
    let site = Site::at(&format!("postgres://postgres:any@[::1]:{port}/postgres")).await;
    assert!(site.run(&["migrate"]).status.success());
    for url in [
        format!("postgres://postgres:any@[::1]:{port}/postgres?sslmode=verify-full"),
        format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=require"),
        format!("postgres://postgres:p%2Bp@localhost:{port}/postgres?sslmode=verify-full"),
        format!("postgres://postgres:p@/postgres?host={folder}&port={port}"),
        format!("postgres://postgres@{}:{port}/postgres", folder.replace('/', "%2F")),
        format!("postgresql:///postgres?host={folder}&port={port}&user=postgres"),
    ] {
        let output = Site::at(&url).await.run(&LIST);
        assert!(output.status.success(), "{url}: {output:?}");
    }
    let plain = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable");
    let complaint = Site::at(&plain).await.complaint(&["serve"]);
    assert!(complaint.contains("no encryption") && !complaint.contains("away"), "{complaint}");
}

#[tokio::test]
async fn authorities_of_the_system_the_url_and_the_settings_are_trusted() {
    install_crypto();
    let stranger = Authority::new();
    let Some((_own, port)) = Own::start_with_tls(&stranger) else { return };
    let url = format!("postgres://postgres@localhost:{port}/postgres?sslmode=verify-full");
    let mut site = Site::at(&url).await;
    let file = site.folder.path().join("stranger.pem").display().to_string();
    fs::write(&file, stranger.pem()).unwrap();

    site.set("REPRISE_EXTRA_CA", "");
    let complaint = site.complaint(&["serve"]);
    assert!(complaint.contains("UnknownIssuer") && complaint.contains("--extra-ca"), "{complaint}");
    assert!(!complaint.contains("away"), "{complaint}");

    site.set("SSL_CERT_FILE", &file);
    assert!(site.run(&["migrate"]).status.success());
    site.set("SSL_CERT_FILE", "");
    site.set("REPRISE_EXTRA_CA", &file);
    assert!(site.run(&LIST).status.success());
    site.set("REPRISE_EXTRA_CA", "ca.pem");
    assert!(!site.run(&LIST).status.success());
    site.url = format!("{url}&sslrootcert={file}");
    assert!(site.run(&LIST).status.success());

    site.url = url.replace("localhost", "[::1]").replace("verify-full", "require");
    site.set("REPRISE_EXTRA_CA", "");
    assert!(site.run(&LIST).status.success(), "encrypted, whoever it is");
}

#[tokio::test]
async fn a_role_that_may_only_read_and_write_serves_what_the_owner_has_migrated() {
    let Some(own) = Own::start() else { return };
    let owner = Site::at(&own.url()).await;
    let app = Site::at(&own.url().replace("postgres@", "app@")).await;
    let operator = Database::connect(own.url()).await.unwrap();
    operator.execute_unprepared("CREATE ROLE app LOGIN").await.unwrap();
    let complaint = app.complaint(&["serve"]);
    assert!(
        complaint.contains("permission denied") && complaint.contains("`reprise migrate`"),
        "{complaint}"
    );

    assert!(owner.run(&["migrate"]).status.success());
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app";
    operator.execute_unprepared(grant).await.unwrap();
    let [key, _] = app.make_keys();
    let server = app.serve().await;
    let api = server.api(&key);
    api.add_target(&app.receiver.uri("/hook"), &[]).await;
    app.receiver.next("/hook").await;
    assert!(app.run(&["migrate"]).status.success(), "there is nothing to change");
    assert!(app.run(&["keys", "rotate-encryption"]).status.success());
}

#[tokio::test]
async fn a_command_on_another_database_makes_no_tables_there() {
    let Some(own) = Own::start() else { return };
    let site = Site::at(&own.url()).await;
    for words in [["keys", "list"], LIST, LIST] {
        let complaint = site.complaint(&words);
        assert!(complaint.contains("has no tables of reprise"), "{words:?}: {complaint}");
    }
    assert!(site.run(&["migrate"]).status.success());
    assert!(site.run(&LIST).status.success());
}

#[rstest]
#[case::nobody("", "", ["force_generic_plan", "auto"])]
#[case::url("options=-c%20plan_cache_mode%3Dforce_custom_plan", "", ["force_custom_plan"; 2])]
#[case::brackets("options[plan_cache_mode]=auto", "", ["auto"; 2])]
#[case::role("", "ALTER ROLE postgres SET plan_cache_mode = auto", ["auto"; 2])]
#[tokio::test]
async fn the_url_and_the_role_have_the_last_word_about_sessions(
    #[case] parameter: &str,
    #[case] statement: &str,
    #[case] expected: [&str; 2],
) {
    let _faults = FailScenario::setup();
    let Some(own) = Own::start() else { return };
    let operator = Database::connect(own.url()).await.unwrap();
    operator.execute_unprepared(statement).await.unwrap();
    let world = World::at(&format!("{}&{parameter}", own.url()), |_| {}).await;
    let show = |name: &str| Statement::from_string(DbBackend::Postgres, format!("SHOW {name}"));
    let tx = world.app.db.begin().await.unwrap();
    for (name, value) in [("jit", "off"), ("idle_in_transaction_session_timeout", "2s")] {
        let row = tx.query_one_raw(show(name)).await.unwrap().unwrap();
        assert_eq!(row.try_get::<String>("", name).unwrap(), value);
    }
    let writing = tx.query_one_raw(show("plan_cache_mode")).await.unwrap().unwrap();
    let reading = world.app.db.reader().query_one_raw(show("plan_cache_mode")).await.unwrap().unwrap();
    let found = [writing, reading].map(|row| row.try_get::<String>("", "plan_cache_mode").unwrap());
    assert_eq!(found, expected);
    if !statement.is_empty() {
        let server = Site::at(&own.url()).await.serve().await;
        let (log, _) = server.stop().await;
        assert!(log.contains("plan_cache_mode = auto"), "{log}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_told_as_what_it_is() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let site = Site::at(&format!("postgres://u:theSecret@127.0.0.1:{port}/reprise")).await;
    let mut server = site.begin_to_serve();
    let line = server.hear("WARN").await;
    assert!(line.contains("the database is away; trying again") && line.contains("refused"), "{line}");
    assert!(line.contains(&format!("127.0.0.1, port {port}")) && !line.contains("theSecret"), "{line}");
}
