//! Looks into the database from outside, beside the servers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity::{attempt, delivery, event};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait,
    PaginatorTrait, QueryFilter, Statement,
};
use tokio::time::{Instant, sleep, timeout};

/// How long what is still to be done may take once nothing breaks any more, and how often so long again if
/// attempts were made meanwhile: a slow machine has more to do than it can.
const END_TIMEOUT: Duration = Duration::from_secs(180);
const AGAIN: usize = 4;
const PAUSE: Duration = Duration::from_millis(200);
/// How long a look at what was acknowledged may take.
const LOOK: Duration = Duration::from_secs(3);
/// How many events are looked for in one statement.
const AT_ONCE: usize = 1_000;

/// A connection of our own.
pub(crate) async fn connect(url: &str) -> DatabaseConnection {
    sea_orm::Database::connect(options(url)).await.unwrap()
}

fn options(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    options
}

/// Looks for what was acknowledged through a connection that no server has: a server's own connection may see
/// what was never committed.
#[derive(Clone)]
pub(crate) enum Eye {
    /// On a file.
    Sqlite(DatabaseConnection),
    /// On this PostgreSQL. A connection may stand before a server that was the primary a moment ago, or that
    /// says nothing any more; so each look has one of its own.
    Postgres(String),
}

impl Eye {
    pub(crate) async fn on(url: &str) -> Self {
        if url.starts_with("sqlite:") { Self::Sqlite(connect(url).await) } else { Self::Postgres(url.into()) }
    }

    /// How many of these events are not there; none if the database does not answer. What it has is judged at
    /// the end.
    pub(crate) async fn missing(&self, events: &[String]) -> Option<u64> {
        let there = match self {
            Self::Sqlite(db) => {
                event::Entity::find().filter(event::Column::Id.is_in(events)).count(db).await.ok()?
            }
            Self::Postgres(url) => timeout(LOOK, there(url, events)).await.ok()?.ok()??,
        };
        Some(events.len() as u64 - there)
    }
}

/// What was acknowledged, until somebody looks for it after something broke.
#[derive(Clone, Default)]
pub(crate) struct Promises(Arc<Mutex<Vec<String>>>);

impl Promises {
    pub(crate) fn add(&self, events: &[String]) {
        self.0.lock().unwrap().extend_from_slice(events);
    }

    /// Looks for all that was acknowledged since the last look. Answers of how many events the database told
    /// something, and how many of them are not there.
    pub(crate) async fn look(&self, eye: &Eye) -> (u64, u64) {
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        let (mut seen, mut missing) = (0, 0);
        for some in events.chunks(AT_ONCE) {
            match eye.missing(some).await {
                Some(count) => (seen, missing) = (seen + some.len() as u64, missing + count),
                None => self.add(some),
            }
        }
        (seen, missing)
    }
}

/// How many of these events the primary has; none: this server is a standby.
async fn there(url: &str, events: &[String]) -> Result<Option<u64>, DbErr> {
    let db = sea_orm::Database::connect(options(url)).await?;
    let follows = "SELECT pg_is_in_recovery() AS follows";
    let follows = db.query_one_raw(Statement::from_string(DbBackend::Postgres, follows)).await?;
    let follows =
        follows.expect("a question without a table has an answer").try_get::<bool>("", "follows")?;
    let there = event::Entity::find().filter(event::Column::Id.is_in(events)).count(&db).await?;
    db.close().await?;
    Ok((!follows).then_some(there))
}

/// Waits until every delivery has ended, or no longer. Answers how long it took.
pub(crate) async fn wait_for_the_end(url: &str) -> Duration {
    let (db, start) = (connect(url).await, Instant::now());
    for _ in 0..=AGAIN {
        let (from, before) = (Instant::now(), attempts(&db).await);
        while from.elapsed() < END_TIMEOUT && unfinished(&db).await > 0 {
            sleep(PAUSE).await;
        }
        if unfinished(&db).await == 0 || attempts(&db).await == before {
            break;
        }
    }
    db.close().await.unwrap();
    start.elapsed()
}

async fn attempts(db: &DatabaseConnection) -> u64 {
    attempt::Entity::find().count(db).await.unwrap()
}

async fn unfinished(db: &DatabaseConnection) -> u64 {
    delivery::Entity::find().filter(delivery::Column::DueAt.is_not_null()).count(db).await.unwrap()
}
