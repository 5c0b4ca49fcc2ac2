//! `reprise serve`: the server, from its settings to the signal that ends it.

use std::time::Duration;

use anyhow::bail;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::app::{App, timekeeper};
use crate::cli::first_start;
use crate::cli::running::Running;
use crate::cli::unlock::{self, unlock};
use crate::cli::wait_for_database::until_there;
use crate::clock::Clock;
use crate::config;
use crate::config::log::Format;
use crate::db::{Db, Ownership, check_file};
use crate::quota::files;
use crate::rules::uri;
use crate::vault::Vault;

/// How long requests and attempts in flight may take to end.
const GRACE: Duration = Duration::from_secs(10);
/// Signals within this time count as one.
const AS_ONE: Duration = Duration::from_secs(1);

/// The settings of the server.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: config::Options,
}

impl Options {
    /// Whether the lines of the log are for programs.
    pub fn logs_json(&self) -> bool {
        self.config.log.log_format == Format::Json
    }
}

/// Runs until SIGTERM or Ctrl-C, or until a part of it fails.
pub async fn run(Options { config }: Options) -> anyhow::Result<()> {
    config.log.start()?;
    let settings = config.settings()?;
    files::raise_limit();
    let mut signals = Signals::listen()?;
    let _ownership = Ownership::take(&config.database.database_url)?;
    config.database.warn_of_readers();
    let (db, clock, vault) = tokio::select! {
        opened = until_there(|| open(&config)) => opened?,
        () = signals.next() => return Ok(()),
    };
    warn_of_openings(settings.outbound.uris);
    if settings.paused {
        warn!("nothing is delivered, mailed or removed: the server was started with --paused");
    }
    let app = App::new(db, clock, vault, settings)?;
    let mut running = Running::start(app.clone(), config.listen).await?;
    info!(
        address = %running.address,
        database = config.database.kind(),
        version = env!("CARGO_PKG_VERSION"),
        "listening"
    );
    // Not before all that can fail on a first start: the keys are shown once.
    if let Some(keys) = until_there(async || Ok(first_start::prepare(&app).await?)).await? {
        first_start::greet(&keys, running.address, &config.database.folder());
    }
    // What has failed is not stopped with care: a panic may have left it half done. A crash is always safe.
    tokio::select! {
        () = signals.next() => stop(running, signals).await,
        failed = running.failed() => failed,
    }
}

async fn stop(running: Running, mut signals: Signals) -> anyhow::Result<()> {
    info!("stopping");
    tokio::select! {
        stopped = running.stop(GRACE) => stopped?,
        () = signals.insist() => bail!("stopped at once; what was in flight is repeated after the next start"),
    }
    info!("stopped");
    Ok(())
}

/// The database, up to date, with the time to go by and with what opens its secrets. A key that is
/// wrong, or that cannot be made, ends the start before there is a database without one.
async fn open(config: &config::Options) -> anyhow::Result<(Db, Clock, Vault)> {
    let (encryption, database) = (&config.encryption, &config.database);
    let vault = match encryption.vault(database)? {
        None if database.is_missing() => Some(unlock::make_key(encryption, database)?),
        given => given,
    };
    check_file(&database.database_url).await?;
    let db = database.open().await?;
    let clock = timekeeper::clock(&db).await?;
    let vault = unlock(vault, config, &db).await?;
    Ok((db, clock, vault))
}

fn warn_of_openings(uris: uri::Policy) {
    if uris.http {
        warn!("targets may have http URIs: what is sent to them can be read on its way");
    }
    if uris.private {
        warn!("targets may be in private networks: customers can reach what only this server should");
    }
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    /// Waits for a signal that is not one with the last: `timeout` and terminals send one to the process and
    /// to its group, so the process gets it twice.
    async fn insist(&mut self) {
        let last = Instant::now();
        loop {
            self.next().await;
            if last.elapsed() > AS_ONE {
                return;
            }
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
