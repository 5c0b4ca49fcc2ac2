//! What a great backlog of one target costs another, and how much memory.
//!
//! The backlog is written by SQL, to a target that takes ten seconds to answer.

use std::time::Duration;

use anyhow::ensure;

use crate::api::{EVENT, OTHER};
use crate::database::Database;
use crate::goals;
use crate::installation::Installation;
use crate::latency;
use crate::options::Options;
use crate::report::{Report, Scenario};
use crate::seed::{Range, Seed};
use crate::sink::Sink;
use crate::statistics::quantile;
use crate::usage;

const SETTLING_IN: Duration = Duration::from_secs(3);

/// The healthy target with nothing waiting elsewhere, then with the backlog.
pub(crate) async fn measure(
    options: &Options,
    database: Database,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (sink, mut installation) = (Sink::start()?, Installation::start(options, database).await?);
    installation.live().add_target(&sink.healthy(0), EVENT).await?;
    let slow = installation.live().add_target(&sink.hanging(0), OTHER).await?;
    let empty = latency::steadily(&installation.live(), &sink, options.seconds).await?;

    installation.stop().await?;
    let seed = Seed::begin(installation.sql().await?, options.waiting).await?;
    let all = Range { from: 0, until: options.waiting, step: 1 };
    seed.events(all).await?;
    seed.waiting(all, &slow).await?;
    seed.end().await?;
    installation.add_replica().await?;
    tokio::time::sleep(SETTLING_IN).await;

    let full = latency::steadily(&installation.live(), &sink, options.seconds).await?;
    let ratio = quantile(&full.whole, 0.99) / quantile(&empty.whole, 0.99);
    let mut scenario = report.scenario(database, "backlog");
    empty.report("empty: ", &mut scenario);
    full.report("full: ", &mut scenario);
    scenario.add(goals::RATIO, ratio);
    look(&installation, &sink, &mut scenario).await
}

async fn look(installation: &Installation, sink: &Sink, scenario: &mut Scenario<'_>) -> anyhow::Result<()> {
    let (waiting, hanging) = (installation.sql().await?.unsettled().await?, sink.count().await?.hanging);
    ensure!(hanging > 0, "nothing of the backlog is being sent");
    scenario.add("deliveries that wait, at the end", f64::from(i32::try_from(waiting)?));
    scenario.add(goals::MOST_MEMORY, usage::most_memory(installation.pid()));
    scenario.add("server memory, last MiB", usage::memory(installation.pid()));
    Ok(())
}
