//! What is measured, on what, and how long.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::Serialize;

use crate::database::Database;

/// The command line.
#[derive(Debug, Parser, Serialize)]
#[command(about = "Measures Reprise from outside.")]
pub(crate) struct Options {
    /// What to measure.
    pub what: What,
    /// On which database.
    #[arg(long, default_value = "both")]
    pub database: Which,
    /// How often; the table shows the median and the spread. `memory`, `backlog` and `rows` run once.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How many events `publish` and `replicas` publish; `single` a fifth, `fanout` a twenty-fifth of it.
    #[arg(long, default_value_t = 100_000)]
    pub events: usize,
    /// For how many seconds latencies are measured, at 200 events a second.
    #[arg(long, default_value_t = 20)]
    pub seconds: u32,
    /// For how many seconds `memory` publishes as fast as it takes.
    #[arg(long, default_value_t = 60)]
    pub publishing: u64,
    /// How many deliveries wait in the `backlog`.
    #[arg(long, default_value_t = 1_000_000)]
    pub waiting: u64,
    /// How many events there are in the large table of `rows`.
    #[arg(long, default_value_t = 10_000_000)]
    pub rows: u64,
    /// How many events there are in its small table.
    #[arg(long, default_value_t = 10_000)]
    pub few_rows: u64,
    /// How often each query of `rows` is asked.
    #[arg(long, default_value_t = 2_000)]
    pub queries: usize,
    /// For how many seconds `idle` looks at a server that has nothing to do.
    #[arg(long, default_value_t = 10)]
    pub idling: u64,
    /// How often `idle` starts the server, on a fresh and on an existing database, in each round.
    #[arg(long, default_value_t = 5)]
    pub starts: usize,
    /// The server's binary.
    #[arg(long, default_value = "target/release/reprise")]
    pub server: PathBuf,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench.json")]
    pub json: PathBuf,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    /// What a bare client can send at all.
    Ceiling,
    /// 100 events a call to one target, until the last delivery is settled.
    Publish,
    /// The same with one event a call.
    Single,
    /// Events to five targets.
    Fanout,
    /// Two replicas instead of one, on PostgreSQL.
    Replicas,
    /// From acceptance to arrival at 200 events a second, and the call.
    Latency,
    /// The same while 50 other targets hang.
    Hanging,
    /// The same while a great many deliveries to another target wait.
    Backlog,
    /// Memory while publishing as fast as it takes.
    Memory,
    /// Queries on few rows and on many.
    Rows,
    /// Start, memory and processor of a server with nothing to do.
    Idle,
    /// All of it.
    All,
    /// The receiver, in a process of its own.
    #[value(hide = true)]
    Sink,
}

/// The databases to measure on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Which {
    /// SQLite only.
    Sqlite,
    /// PostgreSQL only.
    Postgres,
    /// One after the other.
    Both,
}

impl Options {
    /// Whether this is to be measured.
    pub(crate) fn asks_for(&self, what: What) -> bool {
        self.what == what || self.what == What::All
    }

    /// Where SQLite files are made: beside the figures.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.json.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or_else(|| PathBuf::from("."), PathBuf::from)
    }

    /// The databases, in order.
    pub(crate) fn databases(&self) -> Vec<Database> {
        match self.database {
            Which::Sqlite => vec![Database::Sqlite],
            Which::Postgres => vec![Database::Postgres],
            Which::Both => vec![Database::Sqlite, Database::Postgres],
        }
    }
}
