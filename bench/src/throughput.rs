//! How much is published and delivered when there is no end of it: from the first call
//! until the last delivery is settled in the database, in the same minute as the ceiling.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::api::{Api, EVENT, Publication};
use crate::ceiling::{self, Shape};
use crate::cpu::Cpu;
use crate::database::Database;
use crate::goals;
use crate::installation::Installation;
use crate::options::Options;
use crate::report::{Report, Scenario};
use crate::sink::Sink;
use crate::sql::Sql;
use crate::statistics::number;
use crate::usage;

/// How long settling may take after the last arrival.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    scenario: &'static str,
    targets: usize,
    callers: usize,
    calls: usize,
    events_per_call: usize,
}

impl Load {
    /// 100 events a call to one target.
    pub(crate) fn batches(options: &Options) -> Self {
        let calls = options.events.div_ceil(100);
        Self { scenario: "publish", targets: 1, callers: 8, calls, events_per_call: 100 }
    }

    /// One event a call, 64 callers at a time.
    pub(crate) fn single(options: &Options) -> Self {
        let calls = options.events.div_ceil(5);
        Self { scenario: "single", targets: 1, callers: 64, calls, events_per_call: 1 }
    }

    /// Events to five targets: 4,000 of them, unless told otherwise.
    pub(crate) fn fanout(options: &Options) -> Self {
        let calls = options.events.div_ceil(2_500);
        Self { scenario: "fanout", targets: 5, callers: 8, calls, events_per_call: 100 }
    }

    fn deliveries(&self) -> usize {
        self.calls * self.events_per_call * self.targets
    }
}

/// Measures a load between two measurements of the ceiling.
pub(crate) async fn measure(
    load: &Load,
    options: &Options,
    database: Database,
    shape: Shape,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ceiling_before = ceiling::measure(shape, report).await?;
    let installation = Installation::start(options, database).await?;
    let rate = run(load, &installation, &mut report.scenario(database, load.scenario)).await?.rate;
    drop(installation);
    let ceiling_after = ceiling::measure(shape, report).await?;
    let ceiling = ceiling_before.midpoint(ceiling_after);
    report.scenario(database, load.scenario).add(goals::SHARE, rate / ceiling * 100.0);
    Ok(())
}

/// How a run went.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Settled deliveries a second.
    pub rate: f64,
    /// CPU seconds of servers and database per 1,000 deliveries.
    pub cpu: f64,
}

/// Publishes, and waits until everything is settled.
pub(crate) async fn run(
    load: &Load,
    installation: &Installation,
    scenario: &mut Scenario<'_>,
) -> anyhow::Result<Outcome> {
    let (sink, sql) = (Sink::start()?, installation.sql().await?);
    for target in 0..load.targets {
        installation.live().add_target(&sink.healthy(target), EVENT).await?;
    }
    let (begin, before) = (Instant::now(), Cpu::now(installation, &sink));
    publish(&installation.all_live(), load).await?;
    let published = begin.elapsed();
    let count = sink.wait_for(load.deliveries()).await?;
    let arrived = begin.elapsed();
    wait_until_settled(&sql).await?;
    let (settled, after) = (begin.elapsed(), Cpu::now(installation, &sink));
    ensure!(count.strange == 0, "what arrives is strange: {count:?}");
    check(&sql, load.deliveries()).await?;

    let deliveries = number(load.deliveries());
    let rate = deliveries / settled.as_secs_f64();
    scenario.add("deliveries/s", rate);
    for (what, took) in [("published", published), ("arrived", arrived), ("settled", settled)] {
        scenario.add(&format!("{what} after s"), took.as_secs_f64());
    }
    after.report(before, deliveries, scenario);
    scenario.add("sent more than once", number(count.repeated));
    scenario.add(goals::MOST_MEMORY, usage::most_memory(installation.pid()));
    scenario.add_if("database memory MiB", installation.site.memory());
    Ok(Outcome { rate, cpu: after.of_ours(before) / deliveries * 1_000.0 })
}

async fn wait_until_settled(sql: &Sql) -> anyhow::Result<()> {
    let begin = Instant::now();
    while sql.unsettled().await? > 0 {
        ensure!(begin.elapsed() < PATIENCE, "all has arrived, but not all is settled");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Whether the database tells the same as the sink.
async fn check(sql: &Sql, deliveries: usize) -> anyhow::Result<()> {
    let written: i64 =
        sql.value("SELECT count(*) FROM delivery WHERE state = 'SUCCEEDED' AND purpose = 'EVENT'").await?;
    ensure!(usize::try_from(written)? == deliveries, "{written} of {deliveries} deliveries succeeded");
    Ok(())
}

/// Publishes by so many callers at a time, over all servers in turn, until all calls are made.
async fn publish(servers: &[Api], load: &Load) -> anyhow::Result<()> {
    let publication = Publication::of(EVENT, load.events_per_call);
    let left = Arc::new(AtomicUsize::new(load.calls));
    let mut callers = JoinSet::new();
    for server in servers.iter().cycle().take(load.callers) {
        let (mut caller, publication) = (server.caller().await?, publication.clone());
        let left = left.clone();
        callers.spawn(async move {
            let take = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                caller.publish(&publication).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}
