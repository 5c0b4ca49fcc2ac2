//! The databases to measure on, with the settings of production: SQLite as the
//! server opens it, PostgreSQL as it comes, with everything on disk that it commits.

use std::cell::Cell;
use std::path::PathBuf;
use std::process::Child;

use anyhow::Context;
use serde::Serialize;
use tempfile::TempDir;

use crate::options::Options;
use crate::sql::Sql;
use crate::usage;
use world::cluster::{self, Cluster};

const SETTINGS: &str = "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nlisten_addresses = ''\nmax_connections = 100";

/// Which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Database {
    /// A file on this machine's disk.
    Sqlite,
    /// A cluster made for the occasion.
    Postgres,
}

impl Database {
    /// Its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Where databases of one kind are made: a folder, and a cluster if they need one.
pub(crate) struct Site {
    made: Cell<usize>,
    running: Option<Running>,
    folder: TempDir,
}

/// A new database, and a folder for the server that works on it.
#[derive(Debug)]
pub(crate) struct Place {
    /// The server's folder.
    pub folder: PathBuf,
    /// What the server is told.
    pub url: String,
}

impl Site {
    /// Makes a site.
    pub(crate) fn new(options: &Options, database: Database) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(options.folder())?;
        let running = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Running::start()?),
        };
        Ok(Self { made: Cell::new(0), running, folder })
    }

    /// Makes an empty database.
    pub(crate) async fn make(&self) -> anyhow::Result<Place> {
        let number = self.made.replace(self.made.get() + 1);
        let folder = self.folder.path().canonicalize()?.join(number.to_string());
        std::fs::create_dir(&folder)?;
        let url = match &self.running {
            None => format!("sqlite://{}", folder.join("reprise.db").display()),
            Some(running) => running.make(&format!("bench_{number}")).await?,
        };
        Ok(Place { folder, url })
    }

    /// CPU seconds of the database's own processes, also of those that have ended.
    pub(crate) fn cpu(&self) -> f64 {
        self.pid().map_or(0.0, usage::cpu_of_family)
    }

    /// What the database's own processes have in memory, in MiB, if it has any.
    pub(crate) fn memory(&self) -> Option<f64> {
        self.pid().map(usage::memory_of_family)
    }

    fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.pid)
    }
}

/// A cluster that runs, and ends with this value.
struct Running {
    cluster: Cluster,
    pid: u32,
    watchdog: Child,
}

impl Running {
    fn start() -> anyhow::Result<Self> {
        let binaries = cluster::newest_binaries().context("there is no PostgreSQL here")?;
        let cluster = Cluster::create(binaries);
        let mut running = Self { watchdog: cluster.watch(), cluster, pid: 0 };
        running.cluster.start(SETTINGS);
        running.pid = running.cluster.pid().context("the cluster says where it runs")?;
        Ok(running)
    }

    async fn make(&self, name: &str) -> anyhow::Result<String> {
        let mut url = self.cluster.url();
        let sql = Sql::connect(url.as_str()).await?;
        sql.run(&format!("CREATE DATABASE {name}")).await?;
        sql.close().await?;
        url.set_path(name);
        Ok(url.into())
    }
}

impl Drop for Running {
    /// Waits for the watchdog to stop the cluster and to remove its files: the next measurement
    /// is not to meet them.
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        self.watchdog.wait().ok();
    }
}
