//! What every statement goes through: a bound on how long it may take, and a
//! place where tests make it fail.

use std::time::Duration;

use fail::fail_point;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
};

use crate::error::Result;

/// How long a statement may take. What takes longer is not slow, it is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, a pool of them, or a transaction, that does not wait for ever.
#[derive(Debug, Clone)]
pub struct Bounded<C>(pub(super) C);

/// A transaction that may write. Dropped without a commit, it is undone.
pub type Transaction = Bounded<DatabaseTransaction>;

impl Transaction {
    /// Makes everything durable.
    pub async fn commit(self) -> Result<()> {
        Ok(patiently(self.0.commit()).await?)
    }
}

#[async_trait::async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Bounded<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        patiently(self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        patiently(self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        patiently(self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        patiently(self.0.query_all_raw(statement)).await
    }
}

/// Waits for a call of the database, but not for ever.
pub(super) async fn patiently<T>(call: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    fail_point!("database", |_| Err(failed("a fault was injected")));
    let stuck = |_| Err(failed("the database did not answer in time"));
    tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(stuck)
}

fn failed(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.to_owned()))
}
