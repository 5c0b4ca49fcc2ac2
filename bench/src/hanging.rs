//! What 50 targets that take ten seconds to answer cost one that is healthy.
//!
//! They are in TEST and the healthy one in LIVE, because there may be no more than 50 in
//! one environment. To the engine they are all the same.

use std::time::Duration;

use anyhow::ensure;

use crate::api::{Api, EVENT, OTHER, Publication};
use crate::database::Database;
use crate::goals;
use crate::installation::Installation;
use crate::latency;
use crate::options::Options;
use crate::report::Report;
use crate::sink::Sink;
use crate::statistics::{number, quantile};
use crate::usage;

const HANGING: usize = 50;
/// Enough to keep each of them busy until the end.
const EVENTS: usize = 400;
const SETTLING_IN: Duration = Duration::from_secs(2);

/// The healthy one alone, then beside the others, on the same server.
pub(crate) async fn measure(
    options: &Options,
    database: Database,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (sink, installation) = (Sink::start()?, Installation::start(options, database).await?);
    let (healthy, others) = (installation.live(), installation.test());
    healthy.add_target(&sink.healthy(0), EVENT).await?;
    for target in 0..HANGING {
        others.add_target(&sink.hanging(target), OTHER).await?;
    }
    let alone = latency::steadily(&healthy, &sink, options.seconds).await?;

    fill(&others).await?;
    tokio::time::sleep(SETTLING_IN).await;
    let begin = sink.count().await?.hanging;
    let beside = latency::steadily(&healthy, &sink, options.seconds).await?;
    let end = sink.count().await?.hanging;
    ensure!(begin > 0 && end > 0, "nothing hangs: {begin} requests at the beginning, {end} at the end");

    let ratio = quantile(&beside.whole, 0.99) / quantile(&alone.whole, 0.99);
    let mut scenario = report.scenario(database, "hanging");
    alone.report("alone: ", &mut scenario);
    beside.report("beside: ", &mut scenario);
    scenario.add(goals::RATIO, ratio);
    scenario.add("requests that hang, at the beginning", number(begin));
    scenario.add("requests that hang, at the end", number(end));
    scenario.add(goals::MOST_MEMORY, usage::most_memory(installation.pid()));
    Ok(())
}

async fn fill(others: &Api) -> anyhow::Result<()> {
    let (mut caller, publication) = (others.caller().await?, Publication::of(OTHER, 100));
    for _ in 0..EVENTS / 100 {
        caller.publish(&publication).await?;
    }
    Ok(())
}
