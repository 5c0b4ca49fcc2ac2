//! A primary and its synchronous standby behind a relay. The primary crashes, the standby takes over,
//! and the other one is rebuilt as the next standby.
//!
//! A commit is answered once both have it on disk, so nothing that was acknowledged may be lost.
//! While there is one node only, it answers alone; it does not crash then.

use std::sync::Mutex;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use tokio::time::{Instant, sleep};
use url::Url;

use crate::observer;
use crate::postgres::Postgres;
use crate::relay::{Open, Relay};

const PAUSE: Duration = Duration::from_millis(50);
/// How long the relay points at the wrong node.
const ASTRAY: Duration = Duration::from_secs(3);

/// How a proxy or a name follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// At once: connections are closed, new ones go to the new primary.
    AtOnce,
    /// Late: for some seconds it points at the old primary, which is a standby by then, and connections
    /// to that stay open.
    Late,
    /// At once, but connections that are open hear nothing any more.
    Silently,
}

impl Manner {
    pub(crate) const ALL: [Self; 3] = [Self::Late, Self::Silently, Self::AtOnce];
}

/// The two nodes.
pub(crate) struct Pair {
    nodes: [Postgres; 2],
    /// The place of the primary.
    primary: Mutex<usize>,
    relay: Relay,
}

impl Pair {
    /// None: there are no server binaries on this machine.
    pub(crate) async fn start() -> Option<Self> {
        let primary = Postgres::start()?;
        let standby = Postgres::standby_of(&primary);
        let relay = Relay::to(primary.folder()).await;
        let pair = Self { nodes: [primary, standby], primary: Mutex::new(0), relay };
        pair.wait_for_both().await;
        Some(pair)
    }

    /// A new database for a round, by way of the relay.
    pub(crate) async fn database(&self, round: usize) -> String {
        self.primary().database(round).await;
        let address = self.relay.address;
        Url::parse(&format!("postgres://postgres@{address}/round_{round}")).unwrap().into()
    }

    /// The round was judged.
    pub(crate) async fn forget(&self, round: usize) {
        self.primary().forget(round).await;
    }

    /// The primary is gone, and nobody is told.
    pub(crate) fn crash(&self, manner: Manner) {
        self.relay.turn_away(if manner == Manner::Silently { Open::Silent } else { Open::Closed });
        self.primary().crash();
    }

    /// The standby becomes the primary, and the relay points at it in the end. Answers since when.
    pub(crate) async fn take_over(&self, manner: Manner) -> Instant {
        let (old, new) = {
            let mut primary = self.primary.lock().unwrap();
            let old = *primary;
            *primary = 1 - old;
            (&self.nodes[old], &self.nodes[1 - old])
        };
        new.promote();
        if manner == Manner::Late {
            old.follow(new);
            self.relay.turn_to(old.folder(), Open::Kept);
            sleep(ASTRAY).await;
            self.relay.turn_to(new.folder(), Open::Kept);
            Instant::now()
        } else {
            self.relay.turn_to(new.folder(), Open::Kept);
            let turned = Instant::now();
            old.follow(new);
            turned
        }
    }

    /// Waits until each commit is on both nodes again.
    pub(crate) async fn wait_for_both(&self) {
        let primary = self.primary();
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        primary.execute("SELECT pg_reload_conf()").await;
        let db = observer::connect(primary.url().as_str()).await;
        let both = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
        let both = Statement::from_string(DbBackend::Postgres, both);
        while db.query_one_raw(both.clone()).await.unwrap().is_none() {
            sleep(PAUSE).await;
        }
        db.close().await.unwrap();
    }

    fn primary(&self) -> &Postgres {
        &self.nodes[*self.primary.lock().unwrap()]
    }
}
