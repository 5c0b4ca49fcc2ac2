//! The server to be measured, in a process of its own.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::api::{self, Api};
use crate::database::{Database, Made};
use crate::usage;

/// A running server on a database of its own.
pub struct Server {
    process: Child,
    /// Its API with a LIVE key of the platform.
    pub api: Api,
    /// How long it took from the start of the process to the first ready answer.
    pub start: Duration,
    database: Made,
    _folder: TempDir,
}

impl Server {
    /// Makes a database, starts a server on it to fill it, and starts it once more.
    pub async fn start(binary: &Path, database: Database) -> anyhow::Result<Self> {
        let folder = TempDir::new_in(".")?;
        let database = database.make(folder.path())?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (mut process, _) = spawn(binary, &database, folder.path(), port).await?;
        let key = first_key(&mut process).await?;
        process.kill().await?;
        let (process, start) = spawn(binary, &database, folder.path(), port).await?;
        let api = Api::new(&format!("http://127.0.0.1:{port}"), &key);
        Ok(Self { process, api, start, database, _folder: folder })
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// CPU seconds of the server so far.
    pub fn cpu(&self) -> f64 {
        usage::cpu_seconds(self.pid())
    }

    /// CPU seconds of the database's own processes so far.
    pub fn database_cpu(&self) -> f64 {
        self.database.pid.map_or(0.0, usage::cpu_seconds)
    }
}

async fn spawn(
    binary: &Path,
    database: &Made,
    folder: &Path,
    port: u16,
) -> anyhow::Result<(Child, Duration)> {
    let begin = Instant::now();
    let process =
        Command::new(binary.canonicalize().with_context(|| format!("{} is not built", binary.display()))?)
            .args(["serve", "--allow-http-targets", "--allow-private-targets", "--log", "warn"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("DATABASE_URL", &database.url)
            .args(["--rate-limit", "off", "--publishing-rate-limit", "off"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
    let ready = format!("http://127.0.0.1:{port}/readyz");
    while api::get(&ready).await.is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(20), "the server did not start");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok((process, begin.elapsed()))
}

async fn first_key(process: &mut Child) -> anyhow::Result<String> {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut lines = BufReader::new(process.stdout.take().context("the server has an output")?).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(key) = line.split_whitespace().find(|word| word.starts_with("sk_live_")) {
            return Ok(key.to_owned());
        }
    }
    anyhow::bail!("the server did not show its keys")
}
