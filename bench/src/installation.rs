//! The server to be measured: on a database of its own, in one or more processes.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::api::Api;
use crate::connection;
use crate::database::{Database, Place, Site};
use crate::options::Options;
use crate::sql::Sql;
use crate::usage;

/// How long a start may take, and the end of what is in flight at a stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database with its keys, and the servers that run on it. They end with this value.
pub(crate) struct Installation {
    replicas: Vec<Replica>,
    test: String,
    live: String,
    /// How long the first start took, on an empty database.
    pub first_start: Duration,
    /// Where its database was made.
    pub site: Rc<Site>,
    place: Place,
    binary: PathBuf,
}

impl Installation {
    /// Makes an installation on a site of its own, with one server that runs.
    pub(crate) async fn start(options: &Options, database: Database) -> anyhow::Result<Self> {
        let mut installation = Self::make(options, Rc::new(Site::new(options, database)?)).await?;
        installation.add_replica().await?;
        Ok(installation)
    }

    /// Makes an installation: starts a server on an empty database, and stops it.
    pub(crate) async fn make(options: &Options, site: Rc<Site>) -> anyhow::Result<Self> {
        let binary = options.server.canonicalize();
        let binary = binary.with_context(|| format!("{} is not built", options.server.display()))?;
        let place = site.make().await?;
        let (first, first_start) = Replica::start(&binary, &place).await?;
        let mut installation = Self {
            replicas: vec![first],
            test: String::new(),
            live: String::new(),
            first_start,
            site,
            place,
            binary,
        };
        (installation.test, installation.live) = installation.first_keys().await?;
        installation.stop().await?;
        Ok(installation)
    }

    /// The keys that the first start writes to a file: TEST and LIVE. It is ready a moment before.
    async fn first_keys(&self) -> anyhow::Result<(String, String)> {
        let (file, begin) = (self.place.folder.join("reprise.first-keys"), Instant::now());
        loop {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let key = |start| text.split_whitespace().find(|word| word.starts_with(start)).map(str::to_owned);
            if let (Some(test), Some(live)) = (key("sk_test_"), key("sk_live_")) {
                return Ok((test, live));
            }
            ensure!(begin.elapsed() < PATIENCE, "the server did not write its keys to {}", file.display());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Starts a server, beside those that run already. Answers how long it took until it was ready.
    pub(crate) async fn add_replica(&mut self) -> anyhow::Result<Duration> {
        let (replica, took) = Replica::start(&self.binary, &self.place).await?;
        self.replicas.push(replica);
        Ok(took)
    }

    /// Stops all servers, as their owner would.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        for mut replica in self.replicas.drain(..) {
            replica.stop().await?;
        }
        Ok(())
    }

    /// The API of the first server with a LIVE key of the platform.
    pub(crate) fn live(&self) -> Api {
        Api::new(&self.replicas[0].url, &self.live)
    }

    /// The same with a TEST key, which opens targets of its own.
    pub(crate) fn test(&self) -> Api {
        Api::new(&self.replicas[0].url, &self.test)
    }

    /// The APIs of all servers with a LIVE key.
    pub(crate) fn all_live(&self) -> Vec<Api> {
        self.replicas.iter().map(|replica| Api::new(&replica.url, &self.live)).collect()
    }

    /// A connection to its database.
    pub(crate) async fn sql(&self) -> anyhow::Result<Sql> {
        Sql::connect(&self.place.url).await
    }

    /// The process of the first server.
    pub(crate) fn pid(&self) -> u32 {
        self.replicas[0].process.id()
    }

    /// CPU seconds of all servers.
    pub(crate) fn cpu(&self) -> f64 {
        self.replicas.iter().map(|replica| usage::cpu(replica.process.id())).sum()
    }
}

/// A server.
struct Replica {
    process: Child,
    url: String,
}

impl Replica {
    async fn start(binary: &Path, place: &Place) -> anyhow::Result<(Self, Duration)> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let begin = Instant::now();
        let process = Command::new(binary)
            .args(["serve", "--allow-http-targets", "--allow-private-targets", "--log", "error"])
            .args(["--rate-limit", "off", "--publishing-rate-limit", "off", "--listen", &address])
            .env("DATABASE_URL", &place.url)
            .current_dir(&place.folder)
            .stdout(Stdio::null())
            .spawn()?;
        let mut replica = Self { process, url: format!("http://{address}") };
        while connection::get(&replica.url, "/readyz").await.is_err() {
            let ended = replica.process.try_wait()?;
            ensure!(ended.is_none() && begin.elapsed() < PATIENCE, "the server did not start: {ended:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok((replica, begin.elapsed()))
    }

    async fn stop(&mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a process has a number")?, Signal::TERM)?;
        let begin = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(begin.elapsed() < PATIENCE, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
