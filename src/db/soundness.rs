//! Looks whether a database file is sound, before a server works on it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions, Connection, SqliteConnection};
use tokio::time::Instant;

use crate::db::sqlite_file::SqliteFile;

/// How long looking may take: much of a file that was left as it should be, and most of one that a server left
/// in the midst of its work.
const BRIEFLY: Duration = Duration::from_secs(2);
const THOROUGHLY: Duration = Duration::from_secs(30);

/// After how many steps of SQLite's machine it is asked whether to go on.
const STEPS: i32 = 100_000;

/// SQLite's code for what was told to stop.
const INTERRUPTED: &str = "9";

/// Looks through the file at `url`, if it is there already. One that is too large for that is looked through in part.
///
/// # Errors
/// When it is damaged, or no database.
pub async fn check(url: &str) -> anyhow::Result<()> {
    let Some(file) = SqliteFile::of(url)? else { return Ok(()) };
    file.check_place()?;
    if !file.exists() {
        return Ok(());
    }
    let was_left = file.companion("-wal").exists();
    let link = SqliteConnectOptions::new().filename(file.path()).disable_statement_logging();
    let mut link = link.connect().await.with_context(|| unsound(file.named()))?;
    let most = if was_left { THOROUGHLY } else { BRIEFLY };
    let is_whole = look(&mut link, Some(most)).await.with_context(|| unsound(file.named()))?;
    link.close().await.ok();
    if was_left && !is_whole {
        tracing::warn!(file = %file.named().display(), "the file is too large to be looked through at the start");
    }
    Ok(())
}

/// Looks through all of a file that nobody works on, and finds out whether it is a database of ours.
///
/// # Errors
/// When it is not.
pub(super) async fn check_copy(file: &Path) -> anyhow::Result<()> {
    // It is not touched: no companions are made beside it.
    let link = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
    let mut link = link.disable_statement_logging().connect().await?;
    look(&mut link, None).await?;
    sqlx::query("SELECT version FROM seaql_migrations")
        .fetch_all(&mut link)
        .await
        .context("it is no database of reprise")?;
    Ok(link.close().await?)
}

/// Whether all of it was looked at, and is sound.
async fn look(link: &mut SqliteConnection, most: Option<Duration>) -> anyhow::Result<bool> {
    if let Some(most) = most {
        let until = Instant::now() + most;
        link.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < until);
    }
    match sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(link).await {
        Ok(found) if found == "ok" => Ok(true),
        Ok(found) => bail!("{found}"),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(INTERRUPTED) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn unsound(file: &Path) -> String {
    format!(
        "the database {} is damaged, or no database; put a backup in its place with `reprise restore`",
        file.display()
    )
}
