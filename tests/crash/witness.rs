//! Looks into the database from outside, beside the servers.

use std::time::Duration;

use entity::delivery;
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
