//! What a great backlog of one target costs another, and the memory.

use crate::Options;
use crate::api::publication;
use crate::database::Database;
use crate::latency;
use crate::report::Report;
use crate::server::Server;
use crate::sink::Sink;
use crate::throughput;
use crate::usage;

const EVENT: &str = "PAYMENT_CARD_ISSUED";
const OTHER: &str = "PAYMENT_CARD_CLOSED";
const PER_CALL: usize = 1_000;
const FILLERS: usize = 4;

/// Fills the table with deliveries to a target that hangs, and measures the latency of another.
pub async fn measure(options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    let (sink, server) = (Sink::start().await?, Server::start(&options.server, database).await?);
    server.api.add_target(&format!("{}/hang", sink.url), OTHER).await?;
    server.api.add_target(&format!("{}/fast", sink.url), EVENT).await?;
    let scenario = format!("{} backlog", database.name());
    latency::at_a_steady_rate(&server.api, &sink, &format!("{scenario} empty"), report).await?;

    let calls = options.waiting / PER_CALL;
    throughput::publish(&server.api, &publication(OTHER, PER_CALL), calls, FILLERS).await?;
    report.add(&scenario, "memory after filling MiB", usage::memory(server.pid()));
    latency::at_a_steady_rate(&server.api, &sink, &format!("{scenario} full"), report).await?;
    report.add(&scenario, "memory MiB", usage::memory(server.pid()));
    Ok(())
}
