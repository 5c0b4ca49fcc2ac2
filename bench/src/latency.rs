//! How long an event takes from its acceptance to its arrival, at a modest rate:
//! alone, and beside targets that hang.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::Options;
use crate::api::{Api, publication};
use crate::database::Database;
use crate::report::{Report, quantile};
use crate::server::Server;
use crate::sink::{self, Sink};

const EVENT: &str = "PAYMENT_CARD_ISSUED";
const OTHER: &str = "PAYMENT_CARD_CLOSED";
const PER_SECOND: u32 = 200;
const SECONDS: u32 = 10;
const HANGING: usize = 49;

/// One healthy target and nothing else.
pub async fn alone(options: &Options, database: Database, report: &mut Report) -> anyhow::Result<()> {
    let (sink, server) = (Sink::start().await?, Server::start(&options.server, database).await?);
    server.api.add_target(&format!("{}/fast", sink.url), EVENT).await?;
    at_a_steady_rate(&server.api, &sink, &format!("{} latency 200/s", database.name()), report).await
}

/// The same beside as many targets as there may be that answer after ten seconds, with work for all.
pub async fn beside_hanging(
    options: &Options,
    database: Database,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (sink, server) = (Sink::start().await?, Server::start(&options.server, database).await?);
    for number in 0..HANGING {
        server.api.add_target(&format!("{}/hang/{number}", sink.url), OTHER).await?;
    }
    server.api.add_target(&format!("{}/fast", sink.url), EVENT).await?;
    server.api.publish(&publication(OTHER, 100)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    at_a_steady_rate(&server.api, &sink, &format!("{} beside 49 hanging", database.name()), report).await
}

/// Publishes at a steady rate, and reports how long calls and arrivals took.
pub async fn at_a_steady_rate(
    api: &Api,
    sink: &Sink,
    scenario: &str,
    report: &mut Report,
) -> anyhow::Result<()> {
    sink.arrivals().await?;
    let request = publication(EVENT, 1);
    let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut calls = Vec::new();
    for _ in 0..PER_SECOND * SECONDS {
        ticks.tick().await;
        let (api, request) = (api.clone(), request.clone());
        calls.push(tokio::spawn(async move {
            let begin = Instant::now();
            let ids = api.publish(&request).await?;
            anyhow::Ok((ids, sink::now(), begin.elapsed()))
        }));
    }
    let (mut accepted, mut took) = (HashMap::new(), Vec::new());
    for call in calls {
        let (ids, at, elapsed) = call.await??;
        accepted.extend(ids.into_iter().map(|id| (id, at)));
        took.push(elapsed.as_secs_f64() * 1_000.0);
    }
    let latencies = latencies(sink, &accepted).await?;
    for (name, values) in [("accepted to arrived", &latencies), ("publish call", &took)] {
        report.add(scenario, &format!("{name} p50 ms"), quantile(values, 0.5));
        report.add(scenario, &format!("{name} p99 ms"), quantile(values, 0.99));
    }
    Ok(())
}

/// Milliseconds from answer to arrival; an event may arrive before its publisher has the answer.
async fn latencies(sink: &Sink, accepted: &HashMap<String, u64>) -> anyhow::Result<Vec<f64>> {
    let mut latencies = Vec::new();
    while latencies.len() < accepted.len() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for (id, at) in sink.arrivals().await? {
            if let Some(&accepted_at) = accepted.get(&id) {
                let nanos = u32::try_from(at.saturating_sub(accepted_at)).unwrap_or(u32::MAX);
                latencies.push(f64::from(nanos) / 1e6);
            }
        }
    }
    Ok(latencies)
}
