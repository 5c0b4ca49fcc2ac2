//! A PostgreSQL that is stopped as by a crash, and started again. It keeps its promises
//! about the disk, or the test would judge the wrong one.

use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Child;
use std::{env, thread};

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use tokio::task::block_in_place;
use url::Url;

use crate::observer;
use world::cluster::{Cluster, newest_binaries, run};

const SETTINGS: &str = "
    fsync = on
    synchronous_commit = on
    full_page_writes = on
    max_connections = 200
    max_wal_size = 256MB
    listen_addresses = ''
";

/// A server of our own.
pub(crate) struct Postgres {
    cluster: Cluster,
    /// Our end of its pipe closes when this process ends, which wakes it.
    watchdog: Child,
}

impl Postgres {
    /// None: there are no server binaries on this machine. With `CI=true` that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let Some(binaries) = newest_binaries() else {
            assert!(env::var("CI").as_deref() != Ok("true"), "no PostgreSQL on this machine, and CI=true");
            writeln!(stderr(), "SKIPPED: the PostgreSQL half of the crash test (no server binaries)").ok();
            return None;
        };
        let cluster = Cluster::create(binaries);
        let watchdog = cluster.watch();
        cluster.start(SETTINGS);
        Some(Self { cluster, watchdog })
    }

    /// Another server that has and gets all that the primary has.
    pub(crate) fn standby_of(primary: &Self) -> Self {
        let cluster = Cluster::create(newest_binaries().expect("the primary has some"));
        let watchdog = cluster.watch();
        block_in_place(|| cluster.follow(&primary.cluster));
        Self { cluster, watchdog }
    }

    /// A new database for a round.
    pub(crate) async fn database(&self, round: usize) -> String {
        self.execute(&format!("CREATE DATABASE round_{round}")).await;
        let mut url = self.url();
        url.set_path(&format!("round_{round}"));
        url.into()
    }

    /// The round was judged.
    pub(crate) async fn forget(&self, round: usize) {
        self.execute(&format!("DROP DATABASE round_{round} WITH (FORCE)")).await;
    }

    pub(crate) async fn execute(&self, statement: &str) {
        let db = observer::connect(self.url().as_str()).await;
        db.execute_unprepared(statement).await.unwrap();
        db.close().await.unwrap();
    }

    /// Cuts connections, most of those that are within a statement or a transaction. Answers how many.
    pub(crate) async fn cut(&self) -> u64 {
        let db = observer::connect(self.url().as_str()).await;
        let cut = "SELECT count(pg_terminate_backend(pid)) AS cut FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
            AND random() < CASE state WHEN 'idle' THEN 0.1 ELSE 0.7 END";
        let cut = db.query_one_raw(Statement::from_string(DbBackend::Postgres, cut)).await.unwrap();
        db.close().await.unwrap();
        cut.unwrap().try_get::<i64>("", "cut").unwrap().cast_unsigned()
    }

    /// The database that it has from the beginning.
    pub(crate) fn url(&self) -> Url {
        self.cluster.url()
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> &Path {
        self.cluster.folder()
    }

    /// Stops it: nothing is finished, nobody is told.
    pub(crate) fn crash(&self) {
        block_in_place(|| run(&mut self.cluster.stop_at_once()));
    }

    /// Starts it, and waits until it has recovered.
    pub(crate) fn recover(&self) {
        block_in_place(|| self.cluster.start_again());
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        block_in_place(|| self.cluster.promote());
    }

    /// Forgets all that it has, and becomes a standby of the primary.
    pub(crate) fn follow(&self, primary: &Self) {
        block_in_place(|| self.cluster.follow(&primary.cluster));
    }
}

impl Drop for Postgres {
    /// The watchdog does the rest.
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        if !thread::panicking() {
            self.watchdog.wait().ok();
        }
    }
}
