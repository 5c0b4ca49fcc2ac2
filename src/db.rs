//! Opens the database and begins transactions. Only this, the statements of `store` and the
//! migrations know that there are two kinds.

mod backup;
mod call;
mod checkpoints;
mod connection;
mod link;
mod ownership;
mod postgres;
mod presence;
mod probe;
mod soundness;
mod sqlite_file;
mod tables;
mod transaction;
mod trouble;
mod trust;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection, PgPool, SqliteConnection};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

use crate::error::Result;
pub use backup::{back_up, restore};
pub use connection::Reader;
use connection::Writing;
pub use ownership::Ownership;
pub use soundness::check as check_file;
pub use sqlite_file::SqliteFile;
pub use transaction::Transaction;
pub use trouble::{Tries, despite_conflicts, is_away};

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
/// How long connections may take to be closed.
const CLOSING: Duration = Duration::from_secs(5);

/// The database: a pool to read from, and one to write with.
///
/// SQLite has one writer at a time, so writing goes through a single connection
/// and waits its turn here instead of failing there.
#[derive(Debug, Clone)]
pub struct Db {
    reader: Reader,
    writer: DatabaseConnection,
    writing: Writing,
}

impl Db {
    /// Opens `sqlite://path` (made when missing) or `postgres://…`, and brings its tables up to date.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        Self::open_trusting(url, None).await
    }

    /// The same. PostgreSQL may be certified by the authorities in this file too, besides the system's.
    pub async fn open_trusting(url: &str, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let db = Self::connect(url, authorities).await?;
        tables::bring_up_to_date(&db.writer).await?;
        Ok(db)
    }

    /// The same, but it makes none: one without tables is another one than was meant.
    pub async fn open_existing(url: &str, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let db = Self::connect(url, authorities).await?;
        tables::find(&db.writer).await?;
        tables::bring_up_to_date(&db.writer).await?;
        Ok(db)
    }

    /// The same, but nothing is changed: tables of another version are not read.
    pub async fn open_to_read(url: &str, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let db = Self::connect(url, authorities).await?;
        tables::find(&db.writer).await?;
        tables::check(&db.writer).await?;
        Ok(db)
    }

    async fn connect(url: &str, authorities: Option<&Path>) -> anyhow::Result<Self> {
        match SqliteFile::of(url)? {
            Some(file) => open_sqlite(&file).await,
            None => postgres::open(url, authorities).await,
        }
    }

    /// Where statements run that only read.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Whether the database answers, and takes what is written. The latter is tried only after it
    /// failed: one that is full or read-only would be found well otherwise. A file that another process
    /// holds is found by asking for the right to write, which writes nothing.
    pub async fn check(&self) -> Result<()> {
        self.reader.execute_unprepared("SELECT 1").await?;
        match self.writing.doubt() {
            None if self.is_shared() => {}
            None => drop(self.begin().await?),
            Some(doubt) if !doubt.is_zero() => {
                return Err(anyhow!("nothing could be written just now").into());
            }
            Some(_) => {
                let number = despite_conflicts(|| probe::write(self)).await?;
                probe::find(&self.reader, number).await?;
                self.writing.works();
            }
        }
        Ok(())
    }

    /// Begins a transaction that may write. Dropped without a commit, it is undone.
    pub async fn begin(&self) -> Result<Transaction> {
        Transaction::begin(&self.writer, &self.writing).await
    }

    /// Whether other servers may work on the same database.
    pub fn is_shared(&self) -> bool {
        self.writer.get_database_backend() == DbBackend::Postgres
    }

    /// Tells everybody who listens on a shared database.
    pub async fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        let values = [channel.into(), payload.into()];
        let statement =
            Statement::from_sql_and_values(DbBackend::Postgres, "SELECT pg_notify($1, $2)", values);
        self.reader.execute_raw(statement).await?;
        Ok(())
    }

    /// A pool with a connection of its own to a shared database, to listen with.
    pub fn listening(&self) -> Option<PgPool> {
        self.is_shared().then(|| postgres::listening(self.writer.get_postgres_connection_pool()))
    }

    /// Closes all connections. What cannot be closed in time, since its server has vanished, ends with the
    /// process.
    pub async fn close(self) -> Result<()> {
        let closed = async {
            self.reader.close().await?;
            self.writer.close().await
        };
        let Ok(closed) = tokio::time::timeout(CLOSING, closed).await else {
            tracing::warn!("some connections to the database could not be closed");
            return Ok(());
        };
        Ok(closed?)
    }
}

async fn open_sqlite(file: &SqliteFile) -> anyhow::Result<Db> {
    file.check_place()?;
    if file.is_made_when_missing() {
        make_private(&file.path());
    }
    let cannot_open = || format!("the database {} could not be opened", file.named().display());
    let writer = Database::connect(sqlite_options(file, 1)).await.with_context(cannot_open)?;
    let reader = Database::connect(sqlite_options(file, READERS)).await.with_context(cannot_open)?;
    let writing = Writing::default();
    tokio::spawn(checkpoints::run(reader.clone(), writing.committed()));
    let reader = Reader::new(reader, READERS, &writing);
    Ok(Db { reader, writer, writing })
}

/// Nobody else on the machine has to read the file; SQLite gives its companions the same rights.
/// What goes wrong here goes wrong again when the file is opened, and is told then.
fn make_private(file: &Path) {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).ok();
}

fn sqlite_options(file: &SqliteFile, connections: u32) -> ConnectOptions {
    let path = file.path();
    // The driver's own reading of a URL is not asked for.
    let mut options = ConnectOptions::new("sqlite://file");
    options.max_connections(connections).test_before_acquire(false).sqlx_logging(false).map_sqlx_sqlite_opts(
        move |sqlite| {
            sqlite
                .filename(&path)
                .create_if_missing(false)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(BUSY_TIMEOUT)
                .foreign_keys(true)
                .pragma("wal_autocheckpoint", checkpoints::PAGES)
                .pragma("journal_size_limit", checkpoints::BYTES)
                .pragma("cache_size", "-16384")
                .pragma("temp_store", "memory")
        },
    );
    options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|link, _| Box::pin(is_at_rest(link))));
    options
}

/// Whether the driver believes that nothing is open on a connection that comes back. That which brings the
/// tables up to date counts on its belief.
async fn is_at_rest(link: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    link.ping().await?;
    Ok(!link.is_in_transaction())
}
