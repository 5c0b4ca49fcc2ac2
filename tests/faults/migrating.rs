//! Bringing the tables up to date: cut off or killed in the middle, by two at once, and
//! on a database that is newer than the server.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use entity::{mail, target};
use fail::FailScenario;
use migration::{Migrator, MigratorTrait as _};
use reprise::clock::Detour;
use reprise::db::Db;
use reprise::store::timekeeping;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Database, EntityTrait as _, Statement};

use world::program::Site;
use world::{On, START, World};

/// How much later the program is killed each time.
const STEP: Duration = Duration::from_millis(8);

/// A world whose engine has stopped: it would look for tables while they are taken away.
async fn quiet_world(on: On) -> Option<World> {
    Some(World::on(on).await?.without_engine().await)
}

/// The address of a database without any tables.
async fn empty_database(world: &World) -> String {
    let tx = world.app.db.begin().await.unwrap();
    if world.app.db.is_shared() {
        tx.execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
        tx.commit().await.unwrap();
        return world.database_url().to_owned();
    }
    let url = world.database_url().replace("reprise.db", "empty.db");
    for file in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{file}", url.trim_start_matches("sqlite://"))).ok();
    }
    url
}

/// All tables, indexes and migrations, in words.
async fn tables(db: &Db) -> Vec<String> {
    let all = if db.is_shared() {
        "SELECT tablename || '.' || indexname || ' ' || indexdef AS it FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' UNION ALL SELECT version FROM seaql_migrations ORDER BY it"
    } else {
        "SELECT name || ' ' || coalesce(sql, '') AS it FROM sqlite_master
         UNION ALL SELECT version FROM seaql_migrations ORDER BY it"
    };
    let statement = Statement::from_string(db.reader().get_database_backend(), all);
    let rows = db.reader().query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "it").unwrap()).collect()
}

#[rstest]
#[tokio::test]
async fn a_migration_that_was_cut_off_is_completed_by_the_next_start(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = quiet_world(on).await else { return };
    let expected = tables(&world.app.db).await;
    let url = empty_database(&world).await;
    fail::cfg("migrating", "1*return->off").unwrap();
    assert_eq!(tables(&Db::open(&url).await.unwrap()).await, expected);
}

#[rstest]
#[tokio::test]
async fn read_commands_do_not_migrate_an_older_database(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = quiet_world(on).await else { return };
    let url = empty_database(&world).await;
    let with_file = if world.app.db.is_shared() { url.clone() } else { format!("{url}?mode=rwc") };
    let older = Database::connect(with_file).await.unwrap();
    let all = Migrator::migrations().len();
    Migrator::up(&older, Some(u32::try_from(all).unwrap() - 1)).await.unwrap();
    let applied = async || Migrator::get_applied_migrations(&older).await.unwrap().len();
    let site = Site::at(&url).await;
    for words in [["keys", "list"], ["organizations", "list"]] {
        let complaint = site.complaint(&words);
        assert!(
            complaint.contains("older version") && complaint.contains("`reprise migrate`"),
            "{complaint}"
        );
        assert_eq!(applied().await, all - 1);
    }
    assert!(site.run(&["migrate"]).status.success());
    assert_eq!(applied().await, all);
    for words in [["keys", "list"], ["organizations", "list"]] {
        assert!(site.run(&words).status.success());
    }
}

#[rstest]
#[tokio::test]
async fn whenever_a_migration_is_killed_the_next_start_completes_it(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = quiet_world(on).await else { return };
    let expected = tables(&world.app.db).await;
    for moment in 0.. {
        let site = Site::at(&empty_database(&world).await).await;
        let mut migration =
            site.command(&["migrate"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(STEP * moment).await;
        let ended = migration.try_wait().unwrap();
        migration.kill().unwrap();
        migration.wait().unwrap();
        let db = Db::open(&site.url).await.unwrap();
        assert_eq!(tables(&db).await, expected, "killed at moment {moment}");
        db.close().await.unwrap();
        if let Some(status) = ended {
            assert!(status.success() && moment > 0, "{status} at moment {moment}");
            break;
        }
    }
}

#[rstest]
#[tokio::test]
async fn two_that_start_at_once_migrate_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let _faults = FailScenario::setup();
    let Some(world) = quiet_world(on).await else { return };
    let expected = tables(&world.app.db).await;
    let url = empty_database(&world).await;
    let (one, two) = tokio::join!(Db::open(&url), Db::open(&url));
    for db in [one.unwrap(), two.unwrap()] {
        assert_eq!(tables(&db).await, expected);
    }
}

/// A target of a customer and a mail about it, as the first tables have them.
const FIRST_ROWS: &str = "
    INSERT INTO organization VALUES ('org_1', 'First', 1);
    INSERT INTO target (id, organization_id, environment, name, uri, email, status, created_at, updated_at, epoch, rotations)
        VALUES ('ntt_1', 'org_1', 'LIVE', 'A', 'https://company.com/', 'a@company.com', 'DEACTIVATED', 1, 1, 1, 0);
    INSERT INTO mail VALUES ('mail_1', 'a@company.com', 'Hello', 'Hello', 1, 0, 1);
    INSERT INTO event (id, organization_id, environment, node, is_addressed, created_at)
        VALUES ('nee_01a0c4506c00700081e2713fd1c51271', 'org_1', 'LIVE', '{}', TRUE, 1790000000000)";

#[rstest]
#[tokio::test]
async fn a_database_of_the_first_version_gets_there_with_its_rows(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = quiet_world(on).await else { return };
    let expected = tables(&world.app.db).await;
    let url = empty_database(&world).await;
    let mode = if world.app.db.is_shared() { "" } else { "?mode=rwc" };
    let first = Database::connect(format!("{url}{mode}")).await.unwrap();
    Migrator::up(&first, Some(1)).await.unwrap();
    first.execute_unprepared(FIRST_ROWS).await.unwrap();
    first.close().await.unwrap();

    let db = Db::open(&url).await.unwrap();
    assert_eq!(tables(&db).await, expected);
    let target = target::Entity::find().one(db.reader()).await.unwrap().unwrap();
    assert_eq!((target.email.as_deref(), target.email_failed_at), (Some("a@company.com"), None));
    let mail = mail::Entity::find().one(db.reader()).await.unwrap().unwrap();
    assert_eq!((mail.subject.as_str(), mail.target_id), ("Hello", None));
    assert_eq!(timekeeping::detour(db.reader()).await.unwrap(), Detour::default());
    assert_eq!(timekeeping::newest(db.reader()).await.unwrap(), Some(START));
    assert_eq!(timekeeping::removed_until(db.reader()).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a_database_newer_than_the_server_is_refused(#[values(On::Sqlite, On::Postgres)] on: On) {
    let _faults = FailScenario::setup();
    let Some(world) = quiet_world(on).await else { return };
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_future', 0)";
    let tx = world.app.db.begin().await.unwrap();
    tx.execute_unprepared(newer).await.unwrap();
    tx.commit().await.unwrap();
    let refused = Db::open(world.database_url()).await.unwrap_err().to_string();
    assert!(refused.contains("newer version of reprise"), "{refused}");
}
