//! The databases to measure on, with the settings of production: SQLite as the
//! server opens it, PostgreSQL with fsync.

use std::path::Path;
use std::process::Child;

use anyhow::Context;

use crate::cluster::{self, Cluster};

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file on this machine's disk.
    Sqlite,
    /// A cluster made for the occasion.
    Postgres,
}

/// A database that was made for one measurement.
pub struct Made {
    /// What the server is told.
    pub url: String,
    /// The process that serves it, whose use of the processor counts too.
    pub pid: Option<u32>,
    _watchdog: Option<Child>,
}

impl Database {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// Makes an empty one.
    pub fn make(self, folder: &Path) -> anyhow::Result<Made> {
        match self {
            Self::Sqlite => {
                let url = format!("sqlite://{}", folder.join("reprise.db").display());
                Ok(Made { url, pid: None, _watchdog: None })
            }
            Self::Postgres => {
                let cluster =
                    Cluster::create(cluster::newest_binaries().context("there is no PostgreSQL here")?);
                let watchdog = cluster.watch();
                cluster.start(
                    "fsync = on\nsynchronous_commit = on\nlisten_addresses = ''\nmax_connections = 100",
                );
                Ok(Made { url: cluster.url().to_string(), pid: cluster.pid(), _watchdog: Some(watchdog) })
            }
        }
    }
}
