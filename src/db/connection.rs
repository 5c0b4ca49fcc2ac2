//! What every statement goes through: a bound on how long it may take, a look at
//! whether writing works, and a place where tests make it fail.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_stream::try_stream;
use fail::fail_point;
use futures_util::future::{BoxFuture, poll_immediate};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    StreamTrait,
};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use crate::db::link::Link;
use crate::db::postgres::Trust;
use crate::db::trouble::{is_read_only, is_refusal, takes_nothing};
use crate::error::Result;

/// How long a statement may take. What takes longer is not slow, it is stuck.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(8);
/// For how long it is believed that a database takes nothing, after it refused something. A little may
/// fit while most does not.
const AFTERMATH: Duration = Duration::from_secs(3);
/// How often whoever waits looks whether others have given up their connections meanwhile, its own among them.
const LOOK: Duration = Duration::from_secs(1);

/// A pool of connections that does not wait for ever.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: DatabaseConnection,
    trust: Trust,
    lists: Arc<Semaphore>,
}

impl Reader {
    /// A pool of so many connections. Long lists leave a quarter of them to short questions: who asks, and
    /// what events are recorded with, must not wait for those who read.
    pub(super) fn new(pool: DatabaseConnection, connections: u32, trust: Trust) -> Self {
        let lists = usize::try_from(connections - connections.div_ceil(4)).unwrap_or(1).max(1);
        Self { pool, trust, lists: Arc::new(Semaphore::new(lists)) }
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        self.pool.close().await
    }

    /// Makes a call on a connection, which goes back to the pool when it is answered.
    async fn call<T>(
        &self,
        ask: impl for<'a> FnOnce(&'a mut Link) -> BoxFuture<'a, Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let answered = async {
            let mut link = Link::take(&self.pool).await?;
            let ended = ask(&mut link).await;
            if ended.as_ref().err().is_none_or(is_refusal) {
                link.give_back();
            }
            ended
        };
        patiently(&self.trust, answered).await
    }
}

/// How writing goes. Cheap to clone; all clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Writing {
    /// Until when it is not believed that it works, since it failed because the database takes nothing at the
    /// moment; none, if it was seen to work since.
    doubted_until: Arc<Mutex<Option<Instant>>>,
    commits: watch::Sender<()>,
    pub(super) trust: Trust,
}

impl Writing {
    /// The same, by connections that are trusted as long as that lasts.
    pub(super) fn trusting(trust: Trust) -> Self {
        Self { trust, ..Self::default() }
    }

    /// For how long it must not be believed yet that it works, unless it was seen to work since it failed.
    pub fn doubt(&self) -> Option<Duration> {
        self.doubted_until().map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// It was seen to work.
    pub fn works(&self) {
        *self.doubted_until() = None;
    }

    /// Changes with each commit, until nobody can write any more.
    pub fn committed(&self) -> watch::Receiver<()> {
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
        self.doubted_until.lock().unwrap_or_else(PoisonError::into_inner)
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
            let link = patiently(&self.trust, Link::take(&self.pool)).await?;
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

/// Waits for a call of the database, but not for ever. Where one is not answered, none of the connections is
/// trusted any more: that is said before this one is given up, and tested.
pub(super) async fn patiently<T>(
    trust: &Trust,
    call: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    fail_point!("database", |_| Err(failed("a fault was injected")));
    if is_impatient() {
        return poll_immediate(call).await.unwrap_or_else(|| Err(stuck()));
    }
    let Some(ended) = in_time(trust, call, [STATEMENT_TIMEOUT, LOOK]).await else { return Err(stuck()) };
    fail_point!("database-answer", |_| Err(failed("a fault was injected")));
    ended
}

/// The answer to a call; none, if it does not come in time. A call that was under way when the trust in its
/// connection ended is not waited for to the end: those who asked last would hold up the return of a database
/// that has moved.
async fn in_time<T>(
    trust: &Trust,
    call: impl Future<Output = T>,
    [patience, look]: [Duration; 2],
) -> Option<T> {
    let (mut call, start) = (pin!(call), Instant::now());
    while start.elapsed() < patience {
        if let Ok(ended) = tokio::time::timeout(look, &mut call).await {
            return Some(ended);
        }
        if !trust.covers(start.elapsed()) {
            return None;
        }
    }
    trust.end();
    None
}

/// Tests let a call be made and then nobody wait for it.
fn is_impatient() -> bool {
    fail_point!("database-impatience", |_| true);
    false
}

fn stuck() -> DbErr {
    failed("the database did not answer in time")
}

fn failed(why: &str) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn who_waits_on_connections_that_others_gave_up_gives_up_too() {
        let trust = Trust::in_a_server();
        let waits = in_time(&trust, pending::<()>(), [Duration::MAX, SOON]);
        let other = in_time(&trust, pending::<()>(), [SOON * 10, SOON]);
        assert_eq!(tokio::join!(waits, other), (None, None));
        assert!(!trust.covers(Duration::from_secs(3_600)));
        let answered = in_time(&trust, async { "an answer" }, [STATEMENT_TIMEOUT, LOOK]).await;
        assert_eq!(answered, Some("an answer"));
    }

    #[test]
    fn who_said_nothing_may_be_asked_again_at_once() {
        let writing = Writing::default();
        assert_eq!(writing.doubt(), None);
        writing.watch::<()>(Err(stuck())).unwrap_err();
        assert_eq!(writing.doubt(), Some(Duration::ZERO));
        writing.works();
        assert_eq!(writing.doubt(), None);
    }

    #[tokio::test]
    async fn who_waits_for_a_file_is_not_disturbed_by_others() {
        let trust = Trust::default();
        assert_eq!(in_time(&trust, pending::<()>(), [SOON, SOON]).await, None);
        let slow = async { tokio::time::sleep(SOON * 20).await };
        assert_eq!(in_time(&trust, slow, [Duration::MAX, SOON]).await, Some(()));
    }
}
