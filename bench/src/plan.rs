//! The order of things: the small measurements in rounds, so that what changes on the
//! machine meets them all; then those that fill a database, once each.

use crate::ceiling::{self, Shape};
use crate::database::Database;
use crate::machine;
use crate::options::{Options, What};
use crate::report::Report;
use crate::table;
use crate::throughput::{self, Load};
use crate::{backlog, hanging, idle, latency, memory, replicas, rows};

/// Measures what was asked for, and shows it.
///
/// What was measured before something failed is shown all the same.
pub async fn carry_out(options: &Options) -> anyhow::Result<()> {
    let facts = machine::facts(options).await?;
    let mut report = Report::default();
    let outcome = measure_all(options, &mut report).await;
    table::show(&facts, &report);
    std::fs::write(&options.json, table::json(&facts, options, &report)?)?;
    outcome
}

async fn measure_all(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let needs_ceiling = [What::Ceiling, What::Publish, What::Single, What::Fanout];
    let shape = if needs_ceiling.iter().any(|&what| options.asks_for(what)) {
        Shape::fastest(report).await?
    } else {
        Shape::SMALLEST
    };
    if options.what == What::Ceiling {
        for _ in 0..options.rounds {
            ceiling::measure(shape, report).await?;
        }
        return Ok(());
    }
    for _ in 0..options.rounds {
        for database in options.databases() {
            round(options, database, shape, report).await?;
        }
    }
    for database in options.databases() {
        once(options, database, report).await?;
    }
    Ok(())
}

async fn round(
    options: &Options,
    database: Database,
    shape: Shape,
    report: &mut Report,
) -> anyhow::Result<()> {
    for (what, load) in [
        (What::Publish, Load::batches(options)),
        (What::Single, Load::single(options)),
        (What::Fanout, Load::fanout(options)),
    ] {
        if options.asks_for(what) {
            throughput::measure(&load, options, database, shape, report).await?;
        }
    }
    if options.asks_for(What::Replicas) && database == Database::Postgres {
        replicas::measure(options, report).await?;
    }
    if options.asks_for(What::Latency) {
        latency::measure(options, database, report).await?;
    }
    if options.asks_for(What::Hanging) {
        hanging::measure(options, database, report).await?;
    }
    if options.asks_for(What::Idle) {
        idle::measure(options, database, report).await?;
    }
    Ok(())
}

async fn once(options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    if options.asks_for(What::Memory) {
        memory::measure(options, database, report).await?;
    }
    if options.asks_for(What::Backlog) {
        backlog::measure(options, database, report).await?;
    }
    if options.asks_for(What::Rows) {
        rows::measure(options, database, report).await?;
    }
    Ok(())
}
