//! A connection that was taken out of its pool, of either kind.
//!
//! It says what it is told to, and it goes back to its pool only when it is told to: who does not
//! know how its last call ended drops it, which closes it.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor, Postgres, Sqlite};
use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    Values,
};
use sea_query_sqlx::SqlxValues;
use tokio::time::timeout;

use crate::db::call;
use crate::db::trust::Trust;

/// How long the way back to the pool may take, on which the driver asks whether the connection is still
/// answered.
const RETURN: Duration = Duration::from_secs(5);

/// The connection, until it is on its way back. Dropped before, it is closed, which undoes what was begun;
/// its pool opens another one when it is needed.
#[derive(Debug)]
pub(super) struct Link(Option<Taken>);

#[derive(Debug)]
enum Taken {
    /// To a file.
    Sqlite(PoolConnection<Sqlite>),
    /// To a server.
    Postgres(PoolConnection<Postgres>),
}

impl Link {
    /// One that is free, or a new one.
    pub(super) async fn take(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let taken = match pool.get_database_backend() {
            DbBackend::Sqlite => pool.get_sqlite_connection_pool().acquire().await.map(Taken::Sqlite),
            _ => pool.get_postgres_connection_pool().acquire().await.map(Taken::Postgres),
        };
        taken.map(|taken| Self(Some(taken))).map_err(|error| match error {
            sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
            sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
            other => DbErr::Conn(RuntimeErr::SqlxError(other.into())),
        })
    }

    /// Goes back to its pool, at rest. To a server that has fallen silent the driver's question there
    /// would wait without end, and the place in the pool would be lost.
    pub(super) fn give_back(mut self) {
        match self.0.take() {
            Some(Taken::Postgres(mut link)) => drop(tokio::spawn(timeout(RETURN, link.return_to_pool()))),
            Some(Taken::Sqlite(link)) => drop(link),
            None => {}
        }
    }

    fn taken(&mut self) -> &mut Taken {
        self.0.as_mut().expect("it is there until it is given back, which takes it away")
    }

    /// SQLite has one writer at a time. Who means to write says so at once, or may be refused later.
    pub(super) fn begin(&mut self) -> &'static str {
        match self.taken() {
            Taken::Sqlite(_) => "BEGIN IMMEDIATE",
            Taken::Postgres(_) => "BEGIN",
        }
    }

    /// Begins, commits or undoes.
    pub(super) async fn say(&mut self, statement: &'static str) -> Result<(), DbErr> {
        let said = match self.taken() {
            Taken::Sqlite(link) => link.execute(statement).await.map(drop),
            Taken::Postgres(link) => link.execute(statement).await.map(drop),
        };
        said.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    /// Undoes what was done, and goes back to its pool.
    pub(super) async fn undo(mut self, trust: Trust) {
        match call::bounded(&trust, self.say("ROLLBACK")).await {
            Ok(()) => self.give_back(),
            Err(error) => {
                tracing::debug!(%error, "a transaction could not be undone; its connection is closed");
            }
        }
    }

    /// Executes a statement.
    pub(super) async fn execute(
        &mut self,
        Statement { sql, values, .. }: Statement,
    ) -> Result<ExecResult, DbErr> {
        let (text, values) = (AssertSqlSafe(sql), SqlxValues(values.unwrap_or(Values(Vec::new()))));
        let executed = match self.taken() {
            Taken::Sqlite(link) => sqlx::query_with(text, values).execute(&mut **link).await.map(Into::into),
            Taken::Postgres(link) => {
                sqlx::query_with(text, values).execute(&mut **link).await.map(Into::into)
            }
        };
        executed.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    /// Executes statements without values.
    pub(super) async fn execute_unprepared(&mut self, sql: String) -> Result<ExecResult, DbErr> {
        let executed = match self.taken() {
            Taken::Sqlite(link) => link.execute(AssertSqlSafe(sql)).await.map(Into::into),
            Taken::Postgres(link) => link.execute(AssertSqlSafe(sql)).await.map(Into::into),
        };
        executed.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    /// All rows of a query.
    pub(super) async fn query(
        &mut self,
        Statement { sql, values, .. }: Statement,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let (text, values) = (AssertSqlSafe(sql), SqlxValues(values.unwrap_or(Values(Vec::new()))));
        let rows: Result<Vec<QueryResult>, _> = match self.taken() {
            Taken::Sqlite(link) => {
                let rows = sqlx::query_with(text, values).fetch_all(&mut **link).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
            Taken::Postgres(link) => {
                let rows = sqlx::query_with(text, values).fetch_all(&mut **link).await;
                rows.map(|rows| rows.into_iter().map(Into::into).collect())
            }
        };
        rows.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())))
    }

    /// The rows of a query, as they come.
    pub(super) fn stream(
        &mut self,
        Statement { sql, values, .. }: Statement,
    ) -> BoxStream<'_, Result<QueryResult, DbErr>> {
        let (text, values) = (AssertSqlSafe(sql), SqlxValues(values.unwrap_or(Values(Vec::new()))));
        let failed = |error: sqlx::Error| DbErr::Query(RuntimeErr::SqlxError(error.into()));
        match self.taken() {
            Taken::Sqlite(link) => {
                let rows = sqlx::query_with(text, values).fetch(&mut **link);
                rows.map(move |row| row.map(Into::into).map_err(failed)).boxed()
            }
            Taken::Postgres(link) => {
                let rows = sqlx::query_with(text, values).fetch(&mut **link);
                rows.map(move |row| row.map(Into::into).map_err(failed)).boxed()
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        match &mut self.0 {
            Some(Taken::Sqlite(link)) => link.close_on_drop(),
            Some(Taken::Postgres(link)) => link.close_on_drop(),
            None => {}
        }
    }
}
