//! What the server keeps in memory while more is published than it can deliver.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::api::{Api, EVENT, Publication};
use crate::database::Database;
use crate::goals;
use crate::installation::Installation;
use crate::options::Options;
use crate::report::Report;
use crate::sink::Sink;
use crate::statistics::{mean, number};
use crate::usage;

const CALLERS: usize = 8;
const EVENTS_PER_CALL: usize = 100;

/// Publishes as fast as it takes for a minute, and looks at the memory each second.
pub(crate) async fn measure(
    options: &Options,
    database: Database,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (sink, installation) = (Sink::start()?, Installation::start(options, database).await?);
    installation.live().add_target(&sink.healthy(0), EVENT).await?;
    let until = Instant::now() + Duration::from_secs(options.publishing);
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(publish(installation.live(), until));
    }
    let (mut memory, mut each_second) = (Vec::new(), tokio::time::interval(Duration::from_secs(1)));
    while Instant::now() < until {
        each_second.tick().await;
        memory.push(usage::memory(installation.pid()));
    }
    let mut published = 0;
    while let Some(caller) = callers.join_next().await {
        published += caller??;
    }
    let (most, arrived) = (usage::most_memory(installation.pid()), sink.count().await?.different);

    let mut scenario = report.scenario(database, "memory");
    scenario.add(goals::MOST_MEMORY, most);
    scenario.add("last third to first third, %", growth(&memory));
    scenario.add("server memory, last MiB", memory.last().copied().unwrap_or(f64::NAN));
    scenario.add_if("database memory MiB", installation.site.memory());
    scenario.add("events published", number(published));
    scenario.add("deliveries made meanwhile", number(arrived));
    scenario.keep("server memory each second", memory);
    Ok(())
}

async fn publish(api: Api, until: Instant) -> anyhow::Result<usize> {
    let (mut caller, publication) = (api.caller().await?, Publication::of(EVENT, EVENTS_PER_CALL));
    let mut published = 0;
    while Instant::now() < until {
        published += caller.publish(&publication).await?.len();
    }
    Ok(published)
}

/// By how many percent there is more in the last third than in the first. The first tenth is
/// left out: that is how a server looks that has just started.
fn growth(memory: &[f64]) -> f64 {
    let warm = &memory[memory.len() / 10..];
    let third = (warm.len() / 3).max(1).min(warm.len());
    (mean(&warm[warm.len() - third..]) / mean(&warm[..third]) - 1.0) * 100.0
}
