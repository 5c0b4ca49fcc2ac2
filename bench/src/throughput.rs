//! How much is published and delivered when there is no end of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;

use crate::Options;
use crate::api::{Api, publication};
use crate::ceiling;
use crate::database::Database;
use crate::report::Report;
use crate::server::Server;
use crate::sink::Sink;
use crate::usage;

const EVENT: &str = "PAYMENT_CARD_ISSUED";

/// What a run is made of.
struct Load {
    scenario: &'static str,
    targets: usize,
    callers: usize,
    calls: usize,
    events_per_call: usize,
}

/// 100 events a call to one target.
pub async fn batches(options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    let load =
        Load { scenario: "publish 100/call", targets: 1, callers: 8, calls: 400, events_per_call: 100 };
    run(&load, options, database, report).await
}

/// One event a call, 64 callers at a time.
pub async fn single(options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    let load =
        Load { scenario: "publish 1/call", targets: 1, callers: 64, calls: 12_000, events_per_call: 1 };
    run(&load, options, database, report).await
}

/// 4,000 events to five targets.
pub async fn fanout(options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    let load = Load { scenario: "fan-out 4000x5", targets: 5, callers: 8, calls: 40, events_per_call: 100 };
    run(&load, options, database, report).await
}

async fn run(load: &Load, options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    let (sink, server) = (Sink::start().await?, Server::start(&options.server, database).await?);
    for number in 0..load.targets {
        server.api.add_target(&format!("{}/fast/{number}", sink.url), EVENT).await?;
    }
    let deliveries = load.calls * load.events_per_call * load.targets;
    let cpu = [server.cpu(), server.database_cpu(), usage::cpu_seconds(sink.pid())];
    let begin = Instant::now();
    publish(&server.api, &publication(EVENT, load.events_per_call), load.calls, load.callers).await?;
    let published = begin.elapsed();
    sink.wait_for(deliveries).await?;
    let delivered = begin.elapsed();

    let scenario = format!("{} {}", database.name(), load.scenario);
    let count = f64::from(u32::try_from(deliveries)?);
    let rate = count / delivered.as_secs_f64();
    report.add(&scenario, ceiling::RATE, rate);
    if let Some(ceiling) = report.median(ceiling::NAME, ceiling::RATE) {
        report.add(&scenario, "share of the ceiling %", rate / ceiling * 100.0);
    }
    report.add(&scenario, "published after s", published.as_secs_f64());
    report.add(&scenario, "delivered after s", delivered.as_secs_f64());
    let per_thousand = |now: f64, then: f64| (now - then) / count * 1_000.0;
    let (own, base) = (per_thousand(server.cpu(), cpu[0]), per_thousand(server.database_cpu(), cpu[1]));
    report.add(&scenario, "server CPU s/1000", own);
    report.add(&scenario, "database CPU s/1000", base);
    report.add(&scenario, "ours and database CPU s/1000", own + base);
    report.add(&scenario, "sink CPU s/1000", per_thousand(usage::cpu_seconds(sink.pid()), cpu[2]));
    report.add(&scenario, "server memory MiB", usage::memory(server.pid()));
    Ok(())
}

/// Publishes by so many callers at a time until all calls are made.
pub async fn publish(api: &Api, request: &Bytes, calls: usize, callers: usize) -> anyhow::Result<()> {
    let left = Arc::new(AtomicUsize::new(calls));
    let callers = (0..callers).map(|_| {
        let (api, left, request) = (api.clone(), left.clone(), request.clone());
        tokio::spawn(async move {
            let take = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                api.publish(&request).await?;
            }
            anyhow::Ok(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    Ok(())
}
