//! Two servers on one PostgreSQL instead of one, on the same processors: what sharing
//! the work costs.

use crate::database::Database;
use crate::installation::Installation;
use crate::options::Options;
use crate::report::Report;
use crate::throughput::{self, Load, Outcome};

/// Measures one, then two.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let one = run(1, "replicas: one", options, report).await?;
    let two = run(2, "replicas: two", options, report).await?;
    let mut scenario = report.scenario(Database::Postgres, "replicas");
    scenario.add("CPU, two to one, ratio", two.cpu / one.cpu);
    scenario.add("deliveries/s, two to one, ratio", two.rate / one.rate);
    Ok(())
}

async fn run(
    replicas: usize,
    name: &'static str,
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<Outcome> {
    let mut installation = Installation::start(options, Database::Postgres).await?;
    for _ in 1..replicas {
        installation.add_replica().await?;
    }
    let mut scenario = report.scenario(Database::Postgres, name);
    throughput::run(&Load::batches(options), &installation, &mut scenario).await
}
