//! Copies of an SQLite database, and which file a URL means, as an operator meets them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use world::Api;
use world::On;
use world::program::Site;

const CLOSED: &str = "PAYMENT_CARD_CLOSED";

async fn site() -> Site {
    Site::new(On::Sqlite).await.unwrap()
}

fn mode(file: &Path) -> u32 {
    file.metadata().unwrap().permissions().mode() & 0o777
}

async fn exists(api: &Api, event: &str) -> bool {
    !api.node(event, "").await.is_null()
}

/// What a command says that succeeds.
fn said(site: &Site, words: &[&str]) -> String {
    let output = site.run(words);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn connect(file: &Path) -> DatabaseConnection {
    let mut options = ConnectOptions::new(format!("sqlite://{}", file.display()));
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

#[tokio::test]
async fn a_copy_made_under_load_is_whole_and_private_and_takes_the_place_of_the_database() {
    let site = site().await;
    let [key, _] = site.make_keys();
    let server = site.serve().await;
    let api = server.api(&key);
    let before = api.publish_many(CLOSED, 50).await;
    let publishing = async {
        loop {
            api.publish_many(CLOSED, 20).await;
        }
    };
    let copying = tokio::task::spawn_blocking({
        let mut command = site.command(&["backup", "copy.db"]);
        move || command.output().unwrap()
    });
    let copied = tokio::select! {
        copied = copying => copied.unwrap(),
        () = publishing => unreachable!(),
    };
    assert!(copied.status.success(), "{copied:?}");
    let after = api.publish(CLOSED).await;
    let copy = site.folder.path().join("copy.db");
    assert_eq!(mode(&copy), 0o600);
    assert!(site.complaint(&["backup", "copy.db"]).contains("already"));
    assert!(site.complaint(&["restore", "copy.db"]).contains("another reprise serves this database"));

    // It was killed, so its log is there, and must not be taken for the copy's.
    server.kill();
    assert!(site.folder.path().join("reprise.db-wal").exists());
    let restored = said(&site, &["restore", "copy.db"]);
    assert!(restored.contains("reprise.db.replaced-1"), "{restored}");
    assert!(!site.folder.path().join("reprise.db-wal").exists());
    assert!(site.folder.path().join("reprise.db.replaced-1-wal").exists());
    assert_eq!(mode(&site.folder.path().join("reprise.db")), 0o600);
    let server = site.serve().await;
    let api = server.api(&key);
    for event in &before {
        assert!(exists(&api, event).await);
    }
    assert!(!exists(&api, &after).await);
    server.stop().await;

    // What was moved aside is whole, too.
    let aside = connect(&site.folder.path().join("reprise.db.replaced-1")).await;
    let found = format!("SELECT id FROM event WHERE id = '{after}'");
    let found = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, found);
    assert!(aside.query_one_raw(found).await.unwrap().is_some());
}

#[tokio::test]
async fn an_unsound_copy_is_not_restored_and_changes_nothing() {
    let site = site().await;
    site.make_keys();
    let at = |name: &str| site.folder.path().join(name);
    said(&site, &["backup", "copy.db"]);
    let whole = fs::read(at("copy.db")).unwrap();
    let database = fs::read(at("reprise.db")).unwrap();
    fs::write(at("text.db"), "no database").unwrap();
    fs::write(at("half.db"), &whole[..whole.len() / 2]).unwrap();
    let mut torn = whole.clone();
    torn[8_192..16_384].fill(7);
    fs::write(at("torn.db"), torn).unwrap();
    connect(&at("foreign.db?mode=rwc")).await.execute_unprepared("CREATE TABLE t (a)").await.unwrap();
    fs::write(at("with_log.db"), &whole).unwrap();
    fs::write(at("with_log.db-wal"), "a log").unwrap();
    for (file, says) in [
        ("missing.db", "could not be read"),
        ("text.db", "no sound copy"),
        ("half.db", "no sound copy"),
        ("torn.db", "no sound copy"),
        ("foreign.db", "no database of reprise"),
        ("with_log.db", "has a log beside it"),
    ] {
        let complaint = site.complaint(&["restore", file]);
        assert!(complaint.contains(says), "{file}: {complaint}");
        assert_eq!(fs::read(at("reprise.db")).unwrap(), database, "{file}");
    }
    said(&site, &["restore", "copy.db"]);
    assert!(site.complaint(&["backup", "nowhere/copy.db"]).contains("could not be written"));
}

#[tokio::test]
async fn a_copy_put_beside_a_log_that_is_not_its_own_is_not_served() {
    let site = site().await;
    let [key, _] = site.make_keys();
    let at = |name: &str| site.folder.path().join(name);
    said(&site, &["backup", "copy.db"]);
    let server = site.serve().await;
    let api = server.api(&key);
    // A reader keeps the log from being emptied.
    let reader = connect(&at("reprise.db")).await;
    reader.execute_unprepared("BEGIN; SELECT count(*) FROM event").await.unwrap();
    for _ in 0..10 {
        api.publish_many(CLOSED, 100).await;
    }
    server.kill();
    fs::copy(at("copy.db"), at("reprise.db")).unwrap();
    drop(reader);
    let complaint = site.complaint(&["serve"]);
    assert!(complaint.contains("is damaged") && complaint.contains("reprise restore"), "{complaint}");
}

#[tokio::test]
async fn a_command_in_the_wrong_folder_makes_no_database() {
    let site = site().await;
    for words in [
        &["keys", "list"][..],
        &["keys", "revoke", "key_00000000000000000000000000000000"],
        &["organizations", "list"],
        &["backup", "copy.db"],
    ] {
        let complaint = site.complaint(words);
        assert!(complaint.contains("there is no database at"), "{words:?}: {complaint}");
    }
    let files: Vec<_> =
        fs::read_dir(site.folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["ca.pem"]);
}

#[tokio::test]
async fn a_command_on_another_file_makes_no_tables_there() {
    let mut site = site().await;
    let empty = site.folder.path().join("empty.db");
    fs::write(&empty, []).unwrap();
    site.url = format!("sqlite://{}", empty.display());
    for words in [["keys", "list"], ["organizations", "list"], ["keys", "list"]] {
        let complaint = site.complaint(&words);
        assert!(complaint.contains("has no tables of reprise"), "{words:?}: {complaint}");
    }
    assert!(site.run(&["migrate"]).status.success());
    assert!(site.run(&["keys", "list"]).status.success());
}

#[tokio::test]
async fn however_a_file_is_named_it_is_the_same_and_has_one_server() {
    let mut site = site().await;
    let folder = site.folder.path().to_owned();
    site.url = format!("sqlite://{}/my%20db.db", folder.display());
    let server = site.serve().await;
    assert_eq!(mode(&folder.join("my db.db")), 0o600);
    assert!(folder.join("my db.db.lock").exists());
    symlink("my db.db", folder.join("link.db")).unwrap();
    for other in ["my db.db", "link.db", "./my%20db.db", "/my%20db.db"] {
        site.url = format!("sqlite://{}/{other}", folder.display());
        let complaint = site.complaint(&["serve"]);
        assert!(complaint.contains("another reprise serves this database"), "{other}: {complaint}");
    }
    // By another name of the file neither the lock nor the log beside it would be found.
    let second = folder.join("second.db");
    fs::hard_link(folder.join("my db.db"), &second).unwrap();
    for name in ["second.db", "my db.db"] {
        site.url = format!("sqlite://{}/{name}", folder.display());
        let complaint = site.complaint(&["serve"]);
        assert!(complaint.contains("is one file with 2 names"), "{name}: {complaint}");
    }
    fs::remove_file(second).unwrap();
    server.stop().await;
    site.serve().await.stop().await;
    for url in ["sqlite::memory:", "sqlite://x.db?mode=memory", "sqlite://x.db?cache=shared"] {
        site.url = url.to_owned();
        assert!(site.complaint(&["serve"]).starts_with("error: "), "{url}");
    }
    assert!(!folder.join("x.db").exists());
}
