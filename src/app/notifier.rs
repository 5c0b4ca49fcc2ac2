//! Calls the other replicas when there is more to do than this one can take.
//!
//! It rides on PostgreSQL's NOTIFY and LISTEN, and is an optimisation only: what
//! nobody was called for is found by everybody's next look.

use std::collections::HashSet;
use std::time::Duration;

use entity::TargetId;
use sea_orm::sqlx::postgres::PgListener;
use sea_orm::sqlx::raw_sql;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::app::Wakeup;
use crate::db::Db;

const CHANNEL: &str = "reprise_due";
/// How long to wait before listening again, after the connection was lost or refused.
const PAUSE: Duration = Duration::from_secs(5);
/// For how long nobody has to call before it is asked whether the connection is still there, and how long
/// an answer to that may take.
const QUIET: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(5);
/// A notification may have 8,000 bytes; an id has 36.
const IDS_PER_CALL: usize = 200;
/// How long to be quiet after a call: calls say the same again and again while there is too much to do.
const CALM: Duration = Duration::from_millis(100);

/// Makes the calls. Cheap to clone; on SQLite it does nothing.
#[derive(Debug, Clone)]
pub struct Notifier(Option<mpsc::Sender<HashSet<TargetId>>>);

impl Notifier {
    /// Listens for the calls of others, to wake this one, and makes calls to them.
    pub fn start(db: &Db, wakeup: &Wakeup) -> Self {
        if !db.is_shared() {
            return Self(None);
        }
        let (calls, waiting) = mpsc::channel(1);
        let name = format!("{:016x}", rand::random::<u64>());
        tokio::spawn(listen(db.clone(), wakeup.clone(), name.clone()));
        tokio::spawn(call(db.clone(), name, waiting));
        Self(Some(calls))
    }

    /// Says that these targets have more deliveries due than this replica has room for.
    pub fn call(&self, targets: impl FnOnce() -> HashSet<TargetId>) {
        if let Some(calls) = &self.0
            && let Ok(place) = calls.try_reserve()
        {
            place.send(targets());
        }
    }
}

async fn call(db: Db, name: String, mut waiting: mpsc::Receiver<HashSet<TargetId>>) {
    while let Some(targets) = waiting.recv().await {
        let ids: Vec<&str> = targets.iter().take(IDS_PER_CALL).map(TargetId::as_str).collect();
        if let Err(error) = db.notify(CHANNEL, &format!("{name} {}", ids.join(" "))).await {
            tracing::debug!(%error, "the other replicas could not be called");
        }
        tokio::time::sleep(CALM).await;
    }
}

async fn listen(db: Db, wakeup: Wakeup, name: String) {
    loop {
        if let Err(error) = hear(&db, &wakeup, &name).await {
            tracing::debug!(%error, "the other replicas cannot be heard");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(db: &Db, wakeup: &Wakeup, name: &str) -> anyhow::Result<()> {
    let Some(pool) = db.listening() else { return Ok(()) };
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let Ok(call) = timeout(QUIET, listener.recv()).await else {
            timeout(ANSWER, raw_sql("SELECT 1").execute(&mut listener)).await??;
            continue;
        };
        let call = call?;
        let mut words = call.payload().split(' ');
        if words.next() != Some(name) {
            wakeup.wake(words.filter_map(|id| id.parse().ok()));
        }
    }
}
