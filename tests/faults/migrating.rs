//! Bringing the tables up to date: cut off in the middle, by two at once, and on
//! a database that is newer than the server.

use fail::FailScenario;
use reprise::db::Db;
use rstest::rstest;
use sea_orm::ConnectionTrait;

use crate::world::{On, World};

/// The address of a database without any tables.
async fn empty_database(world: &World) -> String {
    let tx = world.app.db.begin().await.unwrap();
    if world.app.db.is_shared() {
        tx.execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
        tx.commit().await.unwrap();
        return world.database_url().to_owned();
    }
    world.database_url().replace("reprise.db", "empty.db")
}

#[rstest]
#[tokio::test]
async fn a_migration_that_was_cut_off_is_completed_by_the_next_start(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    let url = empty_database(&world).await;
    fail::cfg("migrating", "1*return->off").unwrap();
    let db = Db::open(&url).await.unwrap();
    db.reader().execute_unprepared("SELECT count(*) FROM delivery").await.unwrap();
}

#[rstest]
#[tokio::test]
async fn two_that_start_at_once_migrate_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    let url = empty_database(&world).await;
    let (one, two) = tokio::join!(Db::open(&url), Db::open(&url));
    one.unwrap();
    two.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_database_newer_than_the_server_is_refused(#[values(On::Sqlite, On::Postgres)] on: On) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_future', 0)";
    let tx = world.app.db.begin().await.unwrap();
    tx.execute_unprepared(newer).await.unwrap();
    tx.commit().await.unwrap();
    let refused = Db::open(world.database_url()).await.unwrap_err().to_string();
    assert!(refused.contains("newer version of reprise"), "{refused}");
}
