//! A connection that was taken out of its pool, of either kind.
//!
//! It says what it is told to. What has been said, and whether it may go back, is for others to know.

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor, Postgres, Sqlite};
use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    Values,
};
use sea_query_sqlx::SqlxValues;

use crate::db::connection::patiently;
use crate::db::postgres::Trust;

/// The connection. Dropped, it goes back to its pool as it is.
#[derive(Debug)]
pub enum Link {
    /// To a file.
    Sqlite(PoolConnection<Sqlite>),
    /// To a server.
    Postgres(PoolConnection<Postgres>),
}

impl Link {
    /// One that is free, or a new one.
    pub async fn take(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let taken = match pool.get_database_backend() {
            DbBackend::Sqlite => pool.get_sqlite_connection_pool().acquire().await.map(Self::Sqlite),
            _ => pool.get_postgres_connection_pool().acquire().await.map(Self::Postgres),
        };
        taken.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            other => DbErr::Conn(RuntimeErr::SqlxError(other.into())),
        })
    }

    /// SQLite has one writer at a time. Who means to write says so at once, or may be refused later.
    pub fn begin(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        }
    }

    /// Begins, commits or undoes.
    pub async fn say(&mut self, statement: &'static str) -> Result<(), DbErr> {
        let said = match self {
            Self::Sqlite(link) => link.execute(statement).await.map(drop),
            Self::Postgres(link) => link.execute(statement).await.map(drop),
        };
        said.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    /// Undoes what was done, and goes back to its pool.
    pub async fn undo(mut self, trust: Trust) {
        if let Err(error) = patiently(&trust, self.say("ROLLBACK")).await {
            tracing::debug!(%error, "a transaction could not be undone; its connection is closed");
            self.close();
        }
    }

    /// Closes it, which undoes what was done. Its pool opens another one when it is needed.
    pub fn close(self) {
        match self {
            Self::Sqlite(mut link) => link.close_on_drop(),
            Self::Postgres(mut link) => link.close_on_drop(),
        }
    }

    /// Executes a statement.
    pub async fn execute(&mut self, Statement { sql, values, .. }: Statement) -> Result<ExecResult, DbErr> {
        let (text, values) = (AssertSqlSafe(sql), SqlxValues(values.unwrap_or(Values(Vec::new()))));
        let executed = match self {
            Self::Sqlite(link) => sqlx::query_with(text, values).execute(&mut **link).await.map(Into::into),
            Self::Postgres(link) => sqlx::query_with(text, values).execute(&mut **link).await.map(Into::into),
        };
        executed.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    /// Executes statements without values.
    pub async fn execute_unprepared(&mut self, sql: String) -> Result<ExecResult, DbErr> {
        let executed = match self {
            Self::Sqlite(link) => link.execute(AssertSqlSafe(sql)).await.map(Into::into),
            Self::Postgres(link) => link.execute(AssertSqlSafe(sql)).await.map(Into::into),
        };
        executed.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    /// All rows of a query.
    pub async fn query(
        &mut self,
        Statement { sql, values, .. }: Statement,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let (text, values) = (AssertSqlSafe(sql), SqlxValues(values.unwrap_or(Values(Vec::new()))));
        let rows: Result<Vec<QueryResult>, _> = match self {
            Self::Sqlite(link) => {
                let rows = sqlx::query_with(text, values).fetch_all(&mut **link).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
            Self::Postgres(link) => {
                let rows = sqlx::query_with(text, values).fetch_all(&mut **link).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
        };
        rows.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }
}
