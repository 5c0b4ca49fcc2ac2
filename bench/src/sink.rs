//! The receiver, from outside: a process of its own, the same in all measurements.
//!
//! What it counts is different notifications: a target and an event, however often
//! they came. `process` is what runs in it.

pub(crate) mod arrivals;
pub(crate) mod http;
pub(crate) mod process;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use std::io::{BufRead, BufReader};

use crate::connection;
use arrivals::Count;

/// After how long without a new notification nothing more is expected.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sink, which ends with this value.
#[derive(Debug)]
pub(crate) struct Sink {
    process: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Sink {
    /// Starts the process.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut process =
            Command::new(std::env::current_exe()?).arg("sink").stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().context("the sink has an output")?;
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url)?;
        Ok(Self { process, url: url.trim().to_owned() })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The URI of a healthy target.
    pub(crate) fn healthy(&self, number: usize) -> String {
        format!("{}/fast/{number}", self.url)
    }

    /// The URI of a target that answers after ten seconds.
    pub(crate) fn hanging(&self, number: usize) -> String {
        format!("{}/hang/{number}", self.url)
    }

    /// What has come until now.
    pub(crate) async fn count(&self) -> anyhow::Result<Count> {
        Ok(serde_json::from_slice(&connection::get(&self.url, "/count").await?)?)
    }

    /// All arrivals at healthy targets since the last call: event and nanoseconds since the epoch.
    pub(crate) async fn arrivals(&self) -> anyhow::Result<Vec<(u128, u64)>> {
        Ok(serde_json::from_slice(&connection::get(&self.url, "/arrivals").await?)?)
    }

    /// Waits until so many different notifications have come to healthy targets.
    pub(crate) async fn wait_for(&self, wanted: usize) -> anyhow::Result<Count> {
        let (mut connection, mut before) = (connection::Connection::open(&self.url).await?, 0);
        let mut last = Instant::now();
        loop {
            let count: Count = serde_json::from_slice(&connection.get("/count").await?)?;
            if count.different >= wanted {
                return Ok(count);
            }
            if count.different > before {
                (before, last) = (count.different, Instant::now());
            } else if last.elapsed() > PATIENCE {
                bail!("nothing more arrives: {count:?}, but {wanted} are expected");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Nanoseconds since the epoch: one clock for all processes of the machine.
#[expect(clippy::disallowed_methods, reason = "a stopwatch over several processes")]
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
