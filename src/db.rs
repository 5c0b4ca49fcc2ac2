//! Opens the database and begins transactions. Only this, the statements of `store` and the
//! migrations know that there are two kinds.

mod checkpoints;
mod connection;
mod link;
mod ownership;
mod probe;
mod tables;
mod transaction;
mod trouble;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection, PgPool, SqliteConnection};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use url::Url;

use crate::error::Result;
pub use connection::Reader;
use connection::Writing;
use connection::patiently;
pub use ownership::Ownership;
pub use transaction::Transaction;
pub use trouble::{Tries, despite_conflicts, is_away};

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
/// To read with, and as many to write with.
const POSTGRES_CONNECTIONS: u32 = 10;
/// How PostgreSQL is to treat our sessions. A server that stands still must not hold the others up with
/// the locks of its transaction. Every statement finds its rows by an index; for a table that was empty
/// when it was looked at last, or for many rows at once, the planner would rather read all of it.
const SESSION: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "2s"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];
/// The same for those that write: thousands of values take long to plan for, and change no plan. A
/// page of a long list needs a plan for its values.
const WRITING_SESSION: [(&str, &str); 1] = [("plan_cache_mode", "force_generic_plan")];
/// For how long it is believed that a database takes nothing, after it refused something. A little may
/// fit while most does not.
const AFTERMATH: Duration = Duration::from_secs(3);

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
        let db =
            if url.starts_with("sqlite:") { open_sqlite(url).await? } else { open_postgres(url).await? };
        tables::bring_up_to_date(&db.writer).await?;
        Ok(db)
    }

    /// Where statements run that only read.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Whether the database answers, and takes what is written. The latter is tried only after it
    /// failed: one that is full or read-only would be found well otherwise. A file that another process
    /// holds is found by asking for the right to write, which writes nothing.
    pub async fn check(&self) -> Result<()> {
        patiently(self.reader.0.ping()).await?;
        match self.writing.failed_ago() {
            None if self.is_shared() => {}
            None => drop(self.begin().await?),
            Some(ago) if ago < AFTERMATH => return Err(anyhow!("nothing could be written just now").into()),
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

    /// The pool of a shared database, for what only its driver can do.
    pub fn postgres(&self) -> Option<&PgPool> {
        self.is_shared().then(|| self.writer.get_postgres_connection_pool())
    }

    /// Closes all connections.
    pub async fn close(self) -> Result<()> {
        self.reader.0.close().await?;
        Ok(self.writer.close().await?)
    }
}

async fn open_sqlite(url: &str) -> anyhow::Result<Db> {
    make_private(url);
    let writer = Database::connect(sqlite_options(url, 1)).await.with_context(|| cannot_open(url))?;
    let reader = Database::connect(sqlite_options(url, READERS)).await.with_context(|| cannot_open(url))?;
    let writing = Writing::default();
    tokio::spawn(checkpoints::run(reader.clone(), writing.committed()));
    Ok(Db { reader: Reader(reader), writer, writing })
}

/// Nobody else on the machine has to read the file; SQLite gives its companions the same rights.
/// What goes wrong here goes wrong again when the file is opened, and is told then.
fn make_private(url: &str) {
    if let Some(file) = sqlite_file(url) {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).ok();
    }
}

/// The file behind an SQLite URL.
fn sqlite_file(url: &str) -> Option<PathBuf> {
    let file = url.strip_prefix("sqlite:")?.trim_start_matches("//");
    Some(file.split('?').next().unwrap_or(file).into())
}

fn sqlite_options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).test_before_acquire(false).sqlx_logging(false).map_sqlx_sqlite_opts(
        |sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(BUSY_TIMEOUT)
                .foreign_keys(true)
                .pragma("wal_autocheckpoint", checkpoints::PAGES)
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

async fn open_postgres(url: &str) -> anyhow::Result<Db> {
    check(url)?;
    let writer = connect_to_postgres(url, &WRITING_SESSION).await?;
    let reader = connect_to_postgres(url, &[]).await?;
    Ok(Db { reader: Reader(reader), writer, writing: Writing::default() })
}

async fn connect_to_postgres(
    url: &str,
    session: &'static [(&'static str, &'static str)],
) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire_if_idle_for(Duration::from_secs(30))
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| postgres.options(SESSION).options(session.iter().copied()));
    Database::connect(options).await.with_context(|| cannot_open(url))
}

/// The driver repeats a URL that it cannot read, with the password that may be in it.
fn check(url: &str) -> anyhow::Result<()> {
    let is_known = Url::parse(url).is_ok_and(|url| ["postgres", "postgresql"].contains(&url.scheme()));
    ensure!(
        is_known,
        "the URL of the database cannot be read: give sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME"
    );
    Ok(())
}

/// Names the database without the credentials that its URL may hold.
fn cannot_open(url: &str) -> String {
    let place = url.rsplit_once('@').map_or(url, |(_, place)| place);
    let (place, _) = place.split_once('?').unwrap_or((place, ""));
    format!("the database {place} could not be opened")
}
