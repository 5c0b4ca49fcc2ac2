//! What this machine can send at all: bare connections, kept alive, that sign and post
//! notifications like those of the server, to the same sink. No database, no retries.
//!
//! All shares are counted against it, so it has to be as fast as it can be: how many
//! threads and connections are the fastest is tried out first.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::runtime;
use tokio::task::JoinSet;

use crate::api;
use crate::connection::Connection;
use crate::report::Report;
use crate::sink::Sink;
use crate::statistics::number;
use crate::usage;

const SCENARIO: &str = "ceiling";
const TIME: Duration = Duration::from_secs(3);
const TRIAL: Duration = Duration::from_millis(800);
const THREADS: [usize; 2] = [1, 2];
const CONNECTIONS: [usize; 5] = [8, 16, 32, 64, 128];
const SECRET: &[u8] = b"a secret of forty-three characters, base64.";

/// By how many it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    threads: usize,
    connections: usize,
}

impl Shape {
    /// The first to be tried.
    pub(crate) const SMALLEST: Self = Self { threads: THREADS[0], connections: CONNECTIONS[0] };

    /// The fastest on this machine.
    pub(crate) async fn fastest(report: &mut Report) -> anyhow::Result<Self> {
        let (mut fastest, mut best) = (Self::SMALLEST, 0.0);
        for threads in THREADS {
            for connections in CONNECTIONS {
                let shape = Self { threads, connections };
                let rate = run(shape, TRIAL).await?.rate;
                report.scenario(None, "ceiling, trials").add(&shape.name(), rate);
                if rate > best {
                    (fastest, best) = (shape, rate);
                }
            }
        }
        Ok(fastest)
    }

    fn name(self) -> String {
        format!("{} threads, {} connections", self.threads, self.connections)
    }
}

/// Measures it, and answers the requests a second.
pub(crate) async fn measure(shape: Shape, report: &mut Report) -> anyhow::Result<f64> {
    let speed = run(shape, TIME).await?;
    let mut scenario = report.scenario(None, SCENARIO);
    scenario.add("deliveries/s", speed.rate);
    scenario.add("CPU s/1000: client", speed.client);
    scenario.add("CPU s/1000: sink", speed.sink);
    Ok(speed.rate)
}

/// Requests a second, and CPU seconds per 1,000 of them.
struct Speed {
    rate: f64,
    client: f64,
    sink: f64,
}

async fn run(shape: Shape, time: Duration) -> anyhow::Result<Speed> {
    let sink = Sink::start()?;
    let cpu = || [usage::cpu(std::process::id()), usage::cpu(sink.pid())];
    let (begin, before) = (Instant::now(), cpu());
    let mut senders = JoinSet::new();
    for thread in 0..shape.threads {
        let (url, connections) = (sink.url.clone(), shape.connections / shape.threads);
        senders.spawn_blocking(move || send(&url, thread, connections, begin + time));
    }
    let mut sent = 0;
    while let Some(sender) = senders.join_next().await {
        sent += sender??;
    }
    let (took, after) = (begin.elapsed().as_secs_f64(), cpu());
    let count = sink.count().await?;
    anyhow::ensure!(count.different == sent, "{sent} were sent, but {count:?} have come");
    let [client, sink] = [0, 1].map(|who| (after[who] - before[who]) / number(sent) * 1_000.0);
    Ok(Speed { rate: number(sent) / took, client, sink })
}

/// One thread with its connections, each with one request in flight. Answers how many were sent.
fn send(url: &str, thread: usize, connections: usize, until: Instant) -> anyhow::Result<usize> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut senders = JoinSet::new();
        for connection in 0..connections {
            let first = u128::try_from(thread * 1_000 + connection)? << 64;
            senders.spawn(send_one_by_one(url.to_owned(), first, until));
        }
        let mut sent = 0;
        while let Some(sender) = senders.join_next().await {
            sent += sender??;
        }
        Ok(sent)
    })
}

async fn send_one_by_one(url: String, first: u128, until: Instant) -> anyhow::Result<usize> {
    let mut connection = Connection::open(&url).await?;
    let (key, message, mut sent) = (Hmac::<Sha256>::new_from_slice(SECRET)?, Message::new(), 0);
    while Instant::now() < until {
        let body = message.body(first + u128::try_from(sent)?);
        let signature = hex::encode(key.clone().chain_update(&body).finalize().into_bytes());
        let headers =
            [("user-agent", "HighnotePlatform/1.0.0"), ("highnote-signature", &signature), ("accept", "*/*")];
        connection.post("/fast/0", &headers, body).await?;
        sent += 1;
    }
    Ok(sent)
}

/// A notification as the server writes it.
struct Message {
    before: String,
    after: String,
}

impl Message {
    fn new() -> Self {
        let node =
            r#"{"data":{"node":{"__typename":"NotificationEvent","createdAt":"2026-01-01T00:00:00.000Z","#;
        let mut payload = api::payload();
        payload["__typename"] = "PaymentCard".into();
        let name = api::EVENT;
        Self {
            before: format!(r#"{node}"id":"nee_"#),
            after: format!(
                r#"","name":"{name}","node":{payload}}}}},"extensions":{{"signatureTimestamp":1767225600000}}}}"#
            ),
        }
    }

    fn body(&self, event: u128) -> Bytes {
        let Self { before, after } = self;
        format!("{before}{event:032x}{after}").into()
    }
}
