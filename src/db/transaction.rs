//! A transaction on a connection of its own, and what becomes of that connection.
//!
//! The driver counts how deep a connection is in transactions, but a database ends some of them by
//! itself: SQLite does when its disk is full or fails. With a count that is wrong the next transaction
//! is a savepoint, and its commit commits nothing. So nobody counts here. `BEGIN`, `COMMIT` and
//! `ROLLBACK` are plain statements, and SQLite refuses each in the wrong state: a `BEGIN` that
//! succeeds proves that no transaction was open, a `COMMIT` that succeeds proves that this one still
//! was, and that it is on the disk.
//!
//! A connection is guilty until it is proven innocent. It goes back to its pool only after a `COMMIT`
//! or a `ROLLBACK` succeeded; after anything else, a call that was dropped on its way included, it is closed.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::db::call;
use crate::db::connection::Writing;
use crate::db::link::Link;
use crate::db::trouble::is_refusal;
use crate::error::Result;

/// A transaction that may write, and does not wait for ever. Dropped without a commit, it is undone.
///
/// After a call of it has failed, or was dropped before it was answered, it takes no further one:
/// what a database does without a transaction, it does for good.
#[derive(Debug)]
pub struct Transaction {
    session: Mutex<Session>,
    backend: DbBackend,
    writing: Writing,
}

/// The connection, until it is given up, and how its calls went.
#[derive(Debug)]
struct Session {
    link: Option<Link>,
    state: State,
}

/// How the last call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As it should.
    Fine,
    /// The database refused it.
    Refused,
    /// It is on its way, or nobody waits for its answer any more.
    Unanswered,
}

impl Transaction {
    /// Begins one on a connection of `pool`.
    pub(super) async fn begin(pool: &DatabaseConnection, writing: &Writing) -> Result<Self> {
        let begun_at = Instant::now();
        let taken = call::bounded(&writing.trust, Box::pin(Link::take(pool))).await;
        if taken.is_err() {
            writing.presence.note(begun_at, &taken);
        }
        let mut link = writing.watch(taken)?;
        let begin = link.begin();
        let session = Mutex::new(Session { link: Some(link), state: State::Unanswered });
        let tx = Self { session, backend: pool.get_database_backend(), writing: writing.clone() };
        // Not before: a connection from the pool may be that to a server that is away.
        let answered = tx.session.lock().await.say(begin, writing).await;
        writing.presence.note(begun_at, &answered);
        answered?;
        Ok(tx)
    }

    /// Makes everything durable.
    pub async fn commit(self) -> Result<()> {
        let mut session = self.session.lock().await;
        session.check()?;
        session.say("COMMIT", &self.writing).await?;
        if let Some(link) = session.link.take() {
            link.give_back();
        }
        self.writing.committed_now();
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Session { link, state } = self.session.get_mut();
        let Some(link) = link.take() else { return };
        // PostgreSQL ends a transaction that it refused something to when it is told so. What SQLite does
        // then depends on the refusal, and a new connection to a file costs little.
        let is_answered = match state {
            State::Fine => true,
            State::Refused => self.backend == DbBackend::Postgres,
            State::Unanswered => false,
        };
        if is_answered {
            tokio::spawn(link.undo(self.writing.trust.clone()));
        }
    }
}

impl Session {
    /// Refuses when the transaction has failed already.
    fn check(&self) -> Result<(), DbErr> {
        let failed = "the transaction has failed, and takes nothing more".to_owned();
        if self.state == State::Fine { Ok(()) } else { Err(DbErr::Exec(RuntimeErr::Internal(failed))) }
    }

    /// The connection, for a call. Until it is told how the call ended, that counts as not answered.
    fn enter(&mut self) -> Result<&mut Link, DbErr> {
        self.check()?;
        self.state = State::Unanswered;
        Ok(self.link.as_mut().expect("it is there until the transaction ends, and this is before"))
    }

    fn leave<T>(&mut self, ended: Result<T, DbErr>, writing: &Writing) -> Result<T, DbErr> {
        self.state = match &ended {
            Ok(_) => State::Fine,
            Err(error) if is_refusal(error) => State::Refused,
            Err(_) => State::Unanswered,
        };
        writing.watch(ended)
    }

    /// Begins or commits.
    async fn say(&mut self, statement: &'static str, writing: &Writing) -> Result<(), DbErr> {
        self.state = State::Unanswered;
        let link = self.link.as_mut().expect("nothing but a commit that succeeded takes it away");
        let ended = call::bounded(&writing.trust, Box::pin(link.say(statement))).await;
        self.leave(ended, writing)
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut session = self.session.lock().await;
        let ended = call::bounded(&self.writing.trust, session.enter()?.execute(statement)).await;
        session.leave(ended, &self.writing)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut session = self.session.lock().await;
        let ended =
            call::bounded(&self.writing.trust, session.enter()?.execute_unprepared(sql.to_owned())).await;
        session.leave(ended, &self.writing)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut session = self.session.lock().await;
        let ended = call::bounded(&self.writing.trust, session.enter()?.query(statement)).await;
        session.leave(ended, &self.writing)
    }
}
