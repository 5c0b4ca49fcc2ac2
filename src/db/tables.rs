//! Brings the tables up to date when the database is opened.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, ensure};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};

use crate::db::trouble::{is_away, is_forbidden, is_missing};

/// How often, and how far apart, to look again while another replica may be at it.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);

const UNREADABLE: &str = "the state of the tables could not be read";

/// Applies what is missing. Each migration is one transaction together with the record of it,
/// so of two replicas that start at once one succeeds, and the other finds its work done.
///
/// # Errors
/// When a newer version of the server has changed the tables already.
pub(super) async fn bring_up_to_date(db: &DatabaseConnection) -> anyhow::Result<()> {
    for _ in 1..TRIES {
        match apply(db).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is::<Newer>() || error.is::<Forbidden>() || is_away(&error) => {
                return Err(error);
            }
            Err(error) => tracing::warn!(%error, "the tables are not up to date yet; looking again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    apply(db).await
}

/// Finds the tables, up to date or not.
///
/// # Errors
/// When there are none.
pub(super) async fn find(db: &DatabaseConnection) -> anyhow::Result<()> {
    let applied = applied(db).await.context(UNREADABLE)?;
    ensure!(
        !applied.is_empty(),
        "the database has no tables of reprise; name the right one with --database-url, or make them with \
         `reprise migrate`"
    );
    Ok(())
}

/// Refuses tables of another version, older or newer.
///
/// # Errors
/// When they are.
pub(super) async fn check(db: &DatabaseConnection) -> anyhow::Result<()> {
    let missing = missing(db).await?;
    ensure!(
        missing == 0,
        "the database is of an older version of reprise, and only looking does not change it: bring it up to date \
         with `reprise migrate` or by a start of the server, or look with the version that it is of"
    );
    Ok(())
}

async fn apply(db: &DatabaseConnection) -> anyhow::Result<()> {
    let missing = missing(db).await?;
    // Whoever has nothing to change needs no right to.
    if missing == 0 {
        return Ok(());
    }
    match Migrator::up(db, None).await {
        Err(error) if is_forbidden(&error) => Err(Forbidden(missing, error.to_string()).into()),
        ended => ended.context("the tables could not be brought up to date"),
    }
}

/// How many migrations are still to be applied.
async fn missing(db: &DatabaseConnection) -> anyhow::Result<usize> {
    let applied = applied(db).await.context(UNREADABLE)?;
    let migrations = Migrator::migrations();
    let known: HashSet<&str> = migrations.iter().map(|migration| migration.name()).collect();
    if let Some(newer) = applied.iter().find(|version| !known.contains(version.as_str())) {
        return Err(Newer(newer.clone()).into());
    }
    Ok(known.len() - applied.len())
}

/// The names of the migrations that were applied; none, if there are no tables at all.
async fn applied(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), "SELECT version FROM seaql_migrations");
    match db.query_all_raw(statement).await {
        Ok(rows) => rows.iter().map(|row| row.try_get("", "version")).collect(),
        Err(error) if is_missing(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the database was changed by a newer version of reprise (it has {0}); use that version, or a backup")]
struct Newer(String);

#[derive(Debug, thiserror::Error)]
#[error(
    "{0} changes of the tables are still to be made, and the role of the URL may not make them ({1}): \
     run `reprise migrate` as the role that owns the tables"
)]
struct Forbidden(usize, String);
