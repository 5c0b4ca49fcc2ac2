//! What the server costs when there is nothing to do.

use std::time::Duration;

use crate::Options;
use crate::database::Database;
use crate::report::Report;
use crate::server::Server;
use crate::usage;

const TIME: Duration = Duration::from_secs(5);

/// Start, memory and processor of an idle server.
pub async fn measure(options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start(&options.server, database).await?;
    let scenario = format!("{} idle", database.name());
    report.add(&scenario, "start to ready ms", server.start.as_secs_f64() * 1_000.0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cpu = server.cpu();
    tokio::time::sleep(TIME).await;
    report.add(&scenario, "CPU %", (server.cpu() - cpu) / TIME.as_secs_f64() * 100.0);
    report.add(&scenario, "memory MiB", usage::memory(server.pid()));
    Ok(())
}
