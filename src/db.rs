//! Opens the database and begins transactions. The one place, besides the
//! statements of `store`, that knows there are two kinds.

mod ownership;
mod tables;

use std::time::Duration;

use anyhow::Context;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use crate::error::Result;
pub use ownership::Ownership;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 20;

/// The database: a pool to read from, and one to write with.
///
/// SQLite has one writer at a time, so writing goes through a single connection
/// and waits its turn here instead of failing there.
#[derive(Debug, Clone)]
pub struct Db {
    reader: DatabaseConnection,
    writer: DatabaseConnection,
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
    pub fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Begins a transaction that may write. Dropped without a commit, it is undone.
    pub async fn begin(&self) -> Result<DatabaseTransaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        Ok(self.writer.begin_with_options(options).await?)
    }

    /// Closes all connections.
    pub async fn close(self) -> Result<()> {
        self.reader.close().await?;
        Ok(self.writer.close().await?)
    }
}

async fn open_sqlite(url: &str) -> anyhow::Result<Db> {
    let writer = Database::connect(sqlite_options(url, 1)).await.with_context(|| cannot_open(url))?;
    let reader = Database::connect(sqlite_options(url, READERS)).await.with_context(|| cannot_open(url))?;
    Ok(Db { reader, writer })
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
                .pragma("cache_size", "-16384")
                .pragma("temp_store", "memory")
        },
    );
    options
}

async fn open_postgres(url: &str) -> anyhow::Result<Db> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire_if_idle_for(Duration::from_secs(30))
        .sqlx_logging(false);
    let pool = Database::connect(options).await.with_context(|| cannot_open(url))?;
    Ok(Db { reader: pool.clone(), writer: pool })
}

/// Names the database without the credentials that its URL may hold.
fn cannot_open(url: &str) -> String {
    let place = url.rsplit_once('@').map_or(url, |(_, place)| place);
    format!("the database {place} could not be opened")
}
