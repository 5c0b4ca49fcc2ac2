//! Two servers on one PostgreSQL instead of one, on the same processors: what sharing
//! the work costs.

use crate::database::Database;
use crate::installation::Installation;
use crate::options::Options;
use crate::report::Report;
use crate::throughput::{self, Load};

/// Measures one, then two.
pub async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let load = Load::batches(options);
    let mut installation = Installation::start(options, Database::Postgres).await?;
    let mut scenario = report.scenario(Database::Postgres, "replicas: one");
    let one = throughput::run(&load, &installation, &mut scenario).await?;

    installation = Installation::start(options, Database::Postgres).await?;
    installation.add_replica().await?;
    let mut scenario = report.scenario(Database::Postgres, "replicas: two");
    let two = throughput::run(&load, &installation, &mut scenario).await?;

    let mut scenario = report.scenario(Database::Postgres, "replicas");
    scenario.add("CPU, two to one, ratio", two.cpu / one.cpu);
    scenario.add("deliveries/s, two to one, ratio", two.rate / one.rate);
    Ok(())
}
