//! Where data is kept.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use tracing::warn;

use crate::config::secret::mode_for_everybody;
use crate::db::{Db, SqliteFile};

/// The database.
#[derive(clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Database")]
pub(crate) struct Options {
    /// The database: `sqlite://FILE` (made when missing) or `postgres://USER:PASSWORD@HOST/NAME`.
    /// Give a URL with a password by the variable: others can see flags.
    #[arg(
        long,
        env = "DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://reprise.db",
        hide_env_values = true
    )]
    pub database_url: String,
    /// A PEM file with certificate authorities to trust besides the system's: those of PostgreSQL, of targets and
    /// of the mail server.
    #[arg(long, env = "REPRISE_EXTRA_CA", value_name = "FILE")]
    pub extra_ca: Option<PathBuf>,
}

impl Options {
    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be reached, or its tables cannot be brought up to date.
    pub(crate) async fn open(&self) -> anyhow::Result<Db> {
        Db::open_trusting(&self.database_url, self.extra_ca.as_deref()).await
    }

    /// Opens it, and makes neither a file nor tables: whoever asks in the wrong folder, or names the wrong
    /// database, is told so.
    ///
    /// # Errors
    /// When there is none, or it cannot be opened.
    pub(crate) async fn open_existing(&self) -> anyhow::Result<Db> {
        self.require()?;
        Db::open_existing(&self.database_url, self.extra_ca.as_deref()).await
    }

    /// Opens it as it is, for those who only look: it is neither made nor changed.
    ///
    /// # Errors
    /// When there is none, it cannot be opened, or its tables are not those of this version.
    pub(crate) async fn open_to_read(&self) -> anyhow::Result<Db> {
        self.require()?;
        Db::open_to_read(&self.database_url, self.extra_ca.as_deref()).await
    }

    /// Refuses to go on without a file.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn require(&self) -> anyhow::Result<()> {
        if let Some(file) = self.file().filter(|file| !file.exists()) {
            bail!(
                "there is no database at {}; run this where the server runs, or name its database with --database-url",
                file.named().display()
            );
        }
        Ok(())
    }

    /// What kind of database it is, without anything that could be secret.
    pub(crate) fn kind(&self) -> &'static str {
        if self.is_sqlite() { "SQLite" } else { "PostgreSQL" }
    }

    /// Whether it is a file of our own.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.database_url.starts_with("sqlite:")
    }

    /// The folder of the SQLite file; the current one if there is none.
    pub(crate) fn folder(&self) -> PathBuf {
        let file = self.file();
        file.and_then(|file| file.named().parent().map(Path::to_owned)).unwrap_or_default()
    }

    /// Whether it is an SQLite file that is still to be made, so that nothing can be in it.
    pub(crate) fn is_missing(&self) -> bool {
        self.file().is_some_and(|file| !file.exists())
    }

    /// A file that everybody can read is served, but not without a word. This server makes none.
    pub(crate) fn warn_of_readers(&self) {
        let Some(path) = self.file().map(|file| file.path()) else { return };
        if let Some(mode) = mode_for_everybody(&path) {
            let file = path.display();
            warn!(%file, mode, "everybody on this machine can read the database: chmod 600, its -wal and -shm too");
        }
    }

    /// What is wrong with its URL is told when it is opened.
    fn file(&self) -> Option<SqliteFile> {
        SqliteFile::of(&self.database_url).ok().flatten()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options({})", self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_not_in_debug_output() {
        let options =
            Options { database_url: "postgres://user:password@host/name".to_owned(), extra_ca: None };
        assert_eq!(format!("{options:?}"), "Options(PostgreSQL)");
    }

    #[test]
    fn the_folder_is_that_of_the_file() {
        for (url, kind, folder) in [
            ("sqlite://reprise.db", "SQLite", ""),
            ("sqlite:reprise.db?mode=rwc", "SQLite", ""),
            ("sqlite::memory:", "SQLite", ""),
            ("sqlite:///var/lib/reprise/reprise.db?mode=rwc", "SQLite", "/var/lib/reprise"),
            ("sqlite://data/reprise.db", "SQLite", "data"),
            ("sqlite:///my%20data/reprise.db", "SQLite", "/my data"),
            ("sqlite:////data/reprise.db", "SQLite", "/data"),
            ("postgres://user:password@host/name", "PostgreSQL", ""),
        ] {
            let options = Options { database_url: url.to_owned(), extra_ca: None };
            assert_eq!((options.kind(), options.folder()), (kind, folder.into()), "{url}");
        }
    }
}
