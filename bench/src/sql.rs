//! Straight to the database: to fill it, and to see how far the server is.

use anyhow::Context;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TryGetable,
};

/// One connection.
pub(crate) struct Sql(DatabaseConnection);

impl Sql {
    /// Connects to a database that exists.
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Ok(Self(Database::connect(options).await?))
    }

    /// Runs a statement for its effect.
    pub(crate) async fn run(&self, statement: &str) -> anyhow::Result<()> {
        let shown = || statement.chars().take(200).collect::<String>();
        self.0.execute_unprepared(statement).await.with_context(shown)?;
        Ok(())
    }

    /// The one value that a query answers.
    pub(crate) async fn value<T: TryGetable>(&self, query: &str) -> anyhow::Result<T> {
        let statement = Statement::from_string(self.0.get_database_backend(), query);
        let row = self.0.query_one_raw(statement).await?.with_context(|| format!("{query}: no row"))?;
        Ok(row.try_get_by_index(0)?)
    }

    /// Whether it is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        self.0.get_database_backend() == DbBackend::Postgres
    }

    /// How many deliveries have not ended.
    pub(crate) async fn unsettled(&self) -> anyhow::Result<i64> {
        self.value("SELECT count(*) FROM delivery WHERE due_at IS NOT NULL").await
    }

    /// Closes the connection.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        Ok(self.0.close().await?)
    }
}
