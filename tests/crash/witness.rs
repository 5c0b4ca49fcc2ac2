//! Looks into the database from outside, beside the servers.

use std::time::Duration;

use entity::{delivery, event};
use sea_orm::{ColumnTrait, ConnectOptions, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter};
use tokio::time::{Instant, sleep};

/// How long what is still to be done may take once nothing breaks any more.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(200);

/// A connection of our own.
pub async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

/// Looks for what was acknowledged through a connection that no server has.
///
/// On SQLite only: there a server's own connection may see what was never committed. A connection to PostgreSQL
/// may stand before a server that was the first one a moment ago, and what that one has is judged at the end.
#[derive(Clone)]
pub struct Eye(Option<DatabaseConnection>);

impl Eye {
    pub async fn on(url: &str) -> Self {
        Self(if url.starts_with("sqlite:") { Some(connect(url).await) } else { None })
    }

    /// How many of these events are not there.
    pub async fn missing(&self, events: &[String]) -> u64 {
        let Some(db) = &self.0 else { return 0 };
        let there = event::Entity::find().filter(event::Column::Id.is_in(events)).count(db).await;
        // A file that is being recovered may keep others waiting for too long.
        there.map_or(0, |there| events.len() as u64 - there)
    }
}

/// Waits until every delivery has ended, or no longer. Answers how long it took.
pub async fn wait_for_the_end(url: &str) -> Duration {
    let (db, start) = (connect(url).await, Instant::now());
    while start.elapsed() < PATIENCE && unfinished(&db).await > 0 {
        sleep(PAUSE).await;
    }
    db.close().await.unwrap();
    start.elapsed()
}

async fn unfinished(db: &DatabaseConnection) -> u64 {
    delivery::Entity::find().filter(delivery::Column::DueAt.is_not_null()).count(db).await.unwrap()
}
