//! What the server costs when there is nothing to do: how fast it starts, and what it
//! takes then.

use std::rc::Rc;
use std::time::Duration;

use crate::database::{Database, Site};
use crate::installation::Installation;
use crate::options::Options;
use crate::report::Report;
use crate::usage;

/// Starts on fresh databases, starts again on the last of them, and then looks on.
pub(crate) async fn measure(
    options: &Options,
    database: Database,
    report: &mut Report,
) -> anyhow::Result<()> {
    let site = Rc::new(Site::new(options, database)?);
    let mut scenario = report.scenario(database, "idle");
    let mut installation = Installation::make(options, site.clone()).await?;
    scenario.add("start to ready ms, fresh database", millis(installation.first_start));
    for _ in 1..options.starts {
        installation = Installation::make(options, site.clone()).await?;
        scenario.add("start to ready ms, fresh database", millis(installation.first_start));
    }
    for _ in 0..options.starts {
        installation.stop().await?;
        let took = installation.add_replica().await?;
        scenario.add("start to ready ms, existing database", millis(took));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = (installation.cpu(), site.cpu());
    let time = Duration::from_secs(options.idling);
    tokio::time::sleep(time).await;
    let percent = |now: f64, then: f64| (now - then) / time.as_secs_f64() * 100.0;
    scenario.add("server CPU %", percent(installation.cpu(), before.0));
    let database = site.memory().map(|_| percent(site.cpu(), before.1));
    scenario.add_if("database CPU %", database);
    scenario.add("server memory MiB", usage::memory(installation.pid()));
    scenario.add_if("database memory MiB", site.memory());
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
