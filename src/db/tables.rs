//! Brings the tables up to date when the database is opened.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context;
use migration::{Migrator, MigratorTrait};
use sea_orm::DatabaseConnection;

use crate::db::trouble::is_away;

/// How often, and how far apart, to look again while another replica may be at it.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// Applies what is missing. Each migration is one transaction together with the record of it,
/// so of two replicas that start at once one succeeds, and the other finds its work done.
///
/// # Errors
/// When a newer version of the server has changed the tables already.
pub async fn bring_up_to_date(db: &DatabaseConnection) -> anyhow::Result<()> {
    for _ in 1..TRIES {
        match apply(db).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is::<Newer>() || is_away(&error) => return Err(error),
            Err(error) => tracing::warn!(%error, "the tables are not up to date yet; looking again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    apply(db).await
}

async fn apply(db: &DatabaseConnection) -> anyhow::Result<()> {
    refuse_newer(db).await?;
    Migrator::up(db, None).await.context("the tables could not be brought up to date")
}

async fn refuse_newer(db: &DatabaseConnection) -> anyhow::Result<()> {
    let migrations = Migrator::migrations();
    let known: HashSet<&str> = migrations.iter().map(|migration| migration.name()).collect();
    let applied =
        Migrator::get_migration_models(db).await.context("the state of the tables could not be read")?;
    if let Some(newer) = applied.iter().find(|row| !known.contains(row.version.as_str())) {
        return Err(Newer(newer.version.clone()).into());
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("the database was changed by a newer version of reprise (it has {0}); use that version, or a backup")]
struct Newer(String);
