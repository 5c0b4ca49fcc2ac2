//! The receiver: a process of its own that answers 200 as fast as it can, and
//! remembers when each event arrived.
//!
//! `/fast…` answers at once, `/hang…` after ten seconds. `GET /count` and
//! `GET /arrivals` ask it what has come.

use std::convert::Infallible;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use crate::api;

/// A sink in a process of its own, which ends with this value.
#[derive(Debug)]
pub struct Sink {
    process: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

/// The sink's pid, when it was started, and every arrival: event id and nanoseconds since the epoch.
pub type Arrivals = Vec<(String, u64)>;

impl Sink {
    /// Starts the process.
    pub async fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("sink")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().context("the sink has an output")?;
        let url = BufReader::new(stdout).lines().next_line().await?.context("the sink says where it is")?;
        Ok(Self { process, url })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// How many notifications have come to `/fast…`.
    pub async fn count(&self) -> anyhow::Result<usize> {
        Ok(String::from_utf8(api::get(&format!("{}/count", self.url)).await?)?.parse()?)
    }

    /// All arrivals at `/fast…` since the last call.
    pub async fn arrivals(&self) -> anyhow::Result<Arrivals> {
        Ok(serde_json::from_slice(&api::get(&format!("{}/arrivals", self.url)).await?)?)
    }

    /// Waits until so many have come.
    pub async fn wait_for(&self, count: usize) -> anyhow::Result<()> {
        while self.count().await? < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

/// Nanoseconds since the epoch: one clock for all processes of the machine.
#[expect(clippy::disallowed_methods, reason = "a stopwatch over several processes")]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

type Seen = Arc<Mutex<(usize, Arrivals)>>;

/// Runs in the process that is the sink.
pub async fn run(port: u16) -> anyhow::Result<()> {
    use std::io::Write;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    let seen = Seen::default();
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let seen = seen.clone();
        let service = hyper::service::service_fn(move |request| answer(request, seen.clone()));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service),
        );
    }
}

async fn answer(request: Request<Incoming>, seen: Seen) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET {
        return Ok(Response::new(Full::new(tell(&path, &seen).into())));
    }
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if path.starts_with("/hang") {
        if !is_activation(&body) {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    } else if !is_activation(&body) {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0 += 1;
        seen.1.extend(event_id(&body).map(|id| (id, now())));
    }
    Ok(Response::new(Full::default()))
}

fn tell(path: &str, seen: &Seen) -> String {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match path {
        "/count" => seen.0.to_string(),
        _ => serde_json::to_string(&std::mem::take(&mut seen.1)).unwrap_or_default(),
    }
}

fn is_activation(body: &[u8]) -> bool {
    body.windows(23).take(250).any(|window| window == b"NOTIFICATION_ACTIVATION")
}

/// The id stands near the beginning of the body.
fn event_id(body: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(&body[..body.len().min(200)]).ok()?;
    let start = head.find("nee_")?;
    Some(head.get(start..start + 36)?.to_owned())
}
