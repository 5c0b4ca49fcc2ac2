//! Measures Reprise from outside, as its users meet it: a real server process,
//! a real sink process, real databases, everything on this machine.
//!
//! `cargo run --release -p bench -- all` measures the ceiling (what a bare client
//! can send at all) in the same run, so that ratios count. It prints a table and
//! writes it as JSON. Nothing is asserted: figures are for people to judge.

mod api;
mod backlog;
mod ceiling;
#[path = "../../tests/it/world/cluster.rs"]
mod cluster;
mod database;
mod idle;
mod latency;
mod report;
mod server;
mod sink;
mod throughput;
mod usage;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use database::Database;
use report::Report;

#[derive(Debug, Parser)]
#[command(about = "Measures Reprise from outside.")]
struct Options {
    /// What to measure.
    what: What,
    /// On which database.
    #[arg(long, default_value = "both")]
    database: Which,
    /// How often; the table shows the median and the spread.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many deliveries wait in the backlog.
    #[arg(long, default_value_t = 1_000_000)]
    waiting: usize,
    /// The server's binary.
    #[arg(long, default_value = "target/release/reprise")]
    server: PathBuf,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
    /// The port of the sink, in the process that is one.
    #[arg(long, hide = true, default_value_t = 0)]
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Ceiling,
    Publish,
    Single,
    Fanout,
    Latency,
    Hanging,
    Backlog,
    Idle,
    All,
    #[value(hide = true)]
    Sink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Sqlite,
    Postgres,
    Both,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if options.what == What::Sink {
        return sink::run(options.port).await;
    }
    let mut report = Report::default();
    ceiling::measure(options.rounds, &mut report).await?;
    for database in databases(options.database) {
        measure(&options, database, &mut report).await?;
    }
    report.write(&options.json)
}

fn databases(which: Which) -> Vec<Database> {
    match which {
        Which::Sqlite => vec![Database::Sqlite],
        Which::Postgres => vec![Database::Postgres],
        Which::Both => vec![Database::Sqlite, Database::Postgres],
    }
}

async fn measure(options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    let is_asked = |what| options.what == what || options.what == What::All;
    for _ in 0..options.rounds {
        if is_asked(What::Publish) {
            throughput::batches(options, database, report).await?;
        }
        if is_asked(What::Single) {
            throughput::single(options, database, report).await?;
        }
        if is_asked(What::Fanout) {
            throughput::fanout(options, database, report).await?;
        }
        if is_asked(What::Latency) {
            latency::alone(options, database, report).await?;
        }
        if is_asked(What::Hanging) {
            latency::beside_hanging(options, database, report).await?;
        }
        if is_asked(What::Idle) {
            idle::measure(options, database, report).await?;
        }
    }
    if is_asked(What::Backlog) {
        backlog::measure(options, database, report).await?;
    }
    Ok(())
}
