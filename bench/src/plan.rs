//! The order of things: the small measurements in rounds, so that what changes on the
//! machine meets them all; then those that fill a database, once each.

use anyhow::ensure;

use crate::ceiling::{self, Shape};
use crate::database::Database;
use crate::machine;
use crate::options::{Options, What};
use crate::report::Report;
use crate::table;
use crate::throughput::{self, Load};
use crate::{backlog, hanging, idle, latency, memory, replicas, rows};

/// Measures what was asked for, and shows it. What fails is told, and the rest goes on.
pub(crate) async fn carry_out(options: &Options) -> anyhow::Result<()> {
    let facts = machine::facts(options).await?;
    let mut report = Report::default();
    let shape = ceiling(options, &mut report).await?;
    for _ in 0..options.rounds {
        for database in options.databases() {
            for what in ROUNDS {
                try_one(what, options, database, shape, &mut report).await;
            }
        }
    }
    for database in options.databases() {
        for what in ONCE {
            try_one(what, options, database, shape, &mut report).await;
        }
    }
    table::show(&facts, &report);
    std::fs::write(&options.json, table::json(&facts, options, &report)?)?;
    ensure!(report.failures.is_empty(), "{}", report.failures.join("\n"));
    Ok(())
}

const ROUNDS: [What; 8] = [
    What::Publish,
    What::Single,
    What::Fanout,
    What::Replicas,
    What::Latency,
    What::Hanging,
    What::Memory,
    What::Idle,
];
const ONCE: [What; 2] = [What::Backlog, What::Rows];

/// How the ceiling is measured, where it is needed.
async fn ceiling(options: &Options, report: &mut Report) -> anyhow::Result<Shape> {
    let needs_ceiling = [What::Ceiling, What::Publish, What::Single, What::Fanout];
    if !needs_ceiling.iter().any(|&what| options.asks_for(what)) {
        return Ok(Shape::SMALLEST);
    }
    let shape = Shape::fastest(report).await?;
    if options.what == What::Ceiling {
        for _ in 0..options.rounds {
            ceiling::measure(shape, report).await?;
        }
    }
    Ok(shape)
}

async fn try_one(what: What, options: &Options, database: Database, shape: Shape, report: &mut Report) {
    if !options.asks_for(what) {
        return;
    }
    if let Err(error) = measure(what, options, database, shape, report).await {
        report.fail(format!("{what:?} on {}: {error:#}", database.name()));
    }
}

async fn measure(
    what: What,
    options: &Options,
    database: Database,
    shape: Shape,
    report: &mut Report,
) -> anyhow::Result<()> {
    let flow = async |load: Load, report| throughput::measure(&load, options, database, shape, report).await;
    match what {
        What::Publish => flow(Load::batches(options), report).await,
        What::Single => flow(Load::single(options), report).await,
        What::Fanout => flow(Load::fanout(options), report).await,
        What::Replicas if database == Database::Postgres => replicas::measure(options, report).await,
        What::Latency => latency::measure(options, database, report).await,
        What::Hanging => hanging::measure(options, database, report).await,
        What::Idle => idle::measure(options, database, report).await,
        What::Memory => memory::measure(options, database, report).await,
        What::Backlog => backlog::measure(options, database, report).await,
        What::Rows => rows::measure(options, database, report).await,
        What::Replicas | What::Ceiling | What::All | What::Sink => Ok(()),
    }
}
