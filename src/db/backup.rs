//! Copies of an SQLite database while a server works on it, and the way back.
//!
//! A copy has its name only when it is whole, sound and on the disk. What a restored copy takes the place of is
//! moved aside together with its log: a log beside a file that it does not belong to damages it.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use tempfile::NamedTempFile;

use crate::db::BUSY_TIMEOUT;
use crate::db::ownership::Ownership;
use crate::db::soundness;
use crate::db::sqlite_file::{SqliteFile, folder};

/// What belongs to a file, in the order in which it is moved away.
const PARTS: [&str; 3] = ["-wal", "-shm", ""];

/// Copies one moment of the database at `url` into a new file that only its owner can read.
///
/// # Errors
/// When there is such a file, or something already at `to`.
pub async fn back_up(url: &str, to: &Path) -> anyhow::Result<()> {
    let file = sqlite_file(url)?;
    ensure!(file.exists(), "there is no database at {}", file.named().display());
    file.check_place()?;
    ensure!(!to.exists(), "there is something at {} already", to.display());
    let copy = NamedTempFile::new_in(folder(to)).with_context(|| cannot_write(to))?;
    let path = copy.path().to_str().context("the name of the copy is no text")?;
    let link = SqliteConnectOptions::new().filename(file.path()).busy_timeout(BUSY_TIMEOUT);
    let mut link = link.disable_statement_logging().connect().await?;
    // Unlike a copy page by page it does not begin anew with each commit.
    sqlx::query("VACUUM INTO ?").bind(path).execute(&mut link).await.with_context(|| cannot_write(to))?;
    link.close().await?;
    copy.as_file().sync_all()?;
    soundness::check_copy(copy.path()).await.context("the copy is damaged, and so may be the database")?;
    copy.persist_noclobber(to).with_context(|| cannot_write(to))?;
    Ok(File::open(folder(to))?.sync_all()?)
}

/// Puts a copy in the place of the database at `url`. Answers where that was moved to, if there was one.
///
/// # Errors
/// When a server works on the database, or the copy is not sound.
pub async fn restore(url: &str, from: &Path) -> anyhow::Result<Option<PathBuf>> {
    let file = sqlite_file(url)?;
    file.check_place()?;
    let _ownership = Ownership::take(url)?;
    ensure!(
        fs::metadata(beside(from, "-wal")).map_or(0, |log| log.len()) == 0,
        "{} has a log beside it: it was copied from a running server, and is not whole without it; \
         make the copy with `reprise backup`",
        from.display()
    );
    let path = file.path();
    let mut copy = NamedTempFile::new_in(folder(&path)).with_context(|| cannot_write(&path))?;
    let mut source = File::open(from).with_context(|| format!("{} could not be read", from.display()))?;
    std::io::copy(&mut source, &mut copy).with_context(|| cannot_write(&path))?;
    copy.as_file().sync_all()?;
    let unsound = || format!("{} is no sound copy of a database", from.display());
    soundness::check_copy(copy.path()).await.with_context(unsound)?;
    // Whoever runs the command, the server can read the file as before.
    if let Ok(before) = path.metadata() {
        fchown(copy.as_file(), Some(before.uid()), Some(before.gid()))?;
    }
    let moved = move_aside(&path)?;
    copy.persist_noclobber(&path).with_context(|| cannot_write(&path))?;
    File::open(folder(&path))?.sync_all()?;
    Ok(moved)
}

/// Moves a database away with all that belongs to it. The log goes first: the file is never without a log that
/// it needs, unless that stands aside already.
fn move_aside(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !PARTS.iter().any(|part| beside(path, part).exists()) {
        return Ok(None);
    }
    let is_free = |to: &PathBuf| !PARTS.iter().any(|part| beside(to, part).exists());
    let names = (1..).map(|number| beside(path, &format!(".replaced-{number}")));
    let to = names.into_iter().find(is_free).expect("numbers do not end");
    for part in PARTS {
        let from = beside(path, part);
        if from.exists() {
            fs::rename(&from, beside(&to, part))
                .with_context(|| format!("{} could not be moved", from.display()))?;
        }
    }
    Ok(Some(to))
}

fn sqlite_file(url: &str) -> anyhow::Result<SqliteFile> {
    match SqliteFile::of(url)? {
        Some(file) => Ok(file),
        None => bail!("this is for SQLite; PostgreSQL has tools of its own: pg_basebackup, pg_dump"),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

fn cannot_write(path: &Path) -> String {
    format!("{} could not be written", path.display())
}
