//! Reading by a pool of connections, and a look at whether writing works.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use parking_lot::{Mutex, MutexGuard};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement, StreamTrait,
};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use crate::db::call::{self, STATEMENT_TIMEOUT, stuck};
use crate::db::link::Link;
use crate::db::presence::Presence;
use crate::db::trouble::{is_read_only, is_refusal, takes_nothing};
use crate::db::trust::Trust;
use crate::error::Result;

/// For how long it is believed that a database takes nothing, after it refused something. A little may
/// fit while most does not.
const AFTERMATH: Duration = Duration::from_secs(3);

/// A pool of connections that does not wait for ever.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: DatabaseConnection,
    trust: Trust,
    presence: Presence,
    lists: Arc<Semaphore>,
}

impl Reader {
    /// A pool of so many connections. Long lists leave a quarter of them to short questions: who asks, and
    /// what events are recorded with, must not wait for those who read.
    pub(super) fn new(pool: DatabaseConnection, connections: u32, writing: &Writing) -> Self {
        let lists = usize::try_from(connections - connections.div_ceil(4)).unwrap_or(1).max(1);
        let (trust, presence) = (writing.trust.clone(), writing.presence.clone());
        Self { pool, trust, presence, lists: Arc::new(Semaphore::new(lists)) }
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        self.pool.close().await
    }

    /// Makes a call on a connection, which goes back to the pool when it is answered.
    async fn call<T>(
        &self,
        ask: impl for<'a> FnOnce(&'a mut Link) -> BoxFuture<'a, Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let begun_at = Instant::now();
        let answered = async {
            let mut link = Link::take(&self.pool).await?;
            let ended = ask(&mut link).await;
            if ended.as_ref().err().is_none_or(is_refusal) {
                link.give_back();
            }
            ended
        };
        let ended = call::bounded(&self.trust, answered).await;
        self.presence.note(begun_at, &ended);
        ended
    }
}

/// How writing goes. Cheap to clone; all clones show the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Writing {
    /// Until when it is not believed that it works, since it failed because the database takes nothing at the
    /// moment; none, if it was seen to work since.
    doubted_until: Arc<Mutex<Option<Instant>>>,
    commits: watch::Sender<()>,
    pub(super) trust: Trust,
    pub(super) presence: Presence,
}

impl Writing {
    /// The same, by connections that are trusted as long as that lasts.
    pub(super) fn trusting(trust: Trust) -> Self {
        Self { trust, ..Self::default() }
    }

    /// For how long it must not be believed yet that it works, unless it was seen to work since it failed.
    pub(super) fn doubt(&self) -> Option<Duration> {
        self.doubted_until().map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// It was seen to work.
    pub(super) fn works(&self) {
        *self.doubted_until() = None;
    }

    /// Changes with each commit, until nobody can write any more.
    pub(super) fn committed(&self) -> watch::Receiver<()> {
        self.commits.subscribe()
    }

    /// Something was committed.
    pub(super) fn committed_now(&self) {
        self.commits.send_replace(());
    }

    pub(super) fn watch<T>(&self, ended: Result<T, DbErr>) -> Result<T, DbErr> {
        ended.inspect_err(|error| {
            if takes_nothing(error) {
                // Who said nothing may be asked again at once: if it takes something, it is another one.
                let until = Instant::now() + if is_refusal(error) { AFTERMATH } else { Duration::ZERO };
                let mut doubted_until = self.doubted_until();
                *doubted_until = Some(doubted_until.map_or(until, |before| before.max(until)));
            }
            // It was the primary, and is a standby now.
            if is_read_only(error) {
                self.trust.end();
            }
        })
    }

    fn doubted_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.doubted_until.lock()
    }
}

/// Rows as they come, so that whoever takes them can stop before there are too many.
impl StreamTrait for Reader {
    type Stream<'a> = BoxStream<'a, Result<QueryResult, DbErr>>;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.pool)
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(async move {
            let turn = self.lists.acquire().await.map_err(|_| stuck())?;
            let link = call::bounded(&self.trust, Link::take(&self.pool)).await?;
            Ok(rows(link, statement, &self.trust, turn).boxed())
        })
    }
}

/// The rows that a connection brings, which goes back to its pool after the last.
fn rows<'a>(
    mut link: Link,
    statement: Statement,
    trust: &'a Trust,
    turn: SemaphorePermit<'a>,
) -> impl Stream<Item = Result<QueryResult, DbErr>> + Send + 'a {
    let end = Instant::now() + STATEMENT_TIMEOUT;
    try_stream! {
        let mut rows = link.stream(statement);
        loop {
            let Ok(row) = timeout_at(end, rows.next()).await else {
                trust.end();
                Err(stuck())?;
                break;
            };
            match row {
                Some(row) => yield row?,
                None => break,
            }
        }
        drop(rows);
        link.give_back();
        drop(turn);
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.pool)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.call(|link| Box::pin(link.execute(statement))).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = sql.to_owned();
        self.call(|link| Box::pin(link.execute_unprepared(sql))).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.call(|link| Box::pin(link.query(statement))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_database_may_be_asked_again_at_once() {
        let writing = Writing::default();
        assert_eq!(writing.doubt(), None);
        writing.watch::<()>(Err(stuck())).unwrap_err();
        assert_eq!(writing.doubt(), Some(Duration::ZERO));
        writing.works();
        assert_eq!(writing.doubt(), None);
    }
}
