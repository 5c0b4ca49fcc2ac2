//! `reprise serve`: the server, from its settings to the signal that ends it.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::app::{App, timekeeper};
use crate::cli::first_start;
use crate::cli::patience::until_there;
use crate::cli::running::Running;
use crate::clock::Clock;
use crate::config::encryption;
use crate::config::{self, database};
use crate::db::{Db, Ownership};
use crate::rules::uri;
use crate::server;
use crate::store::signing_keys;
use crate::vault::Vault;

/// How long requests and attempts in flight may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// The settings of the server.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: config::Options,
}

/// Runs until SIGTERM or Ctrl-C.
pub async fn run(Options { config }: Options) -> anyhow::Result<()> {
    config.log.start()?;
    let settings = config.settings()?;
    server::files::raise_limit();
    let mut signals = Signals::listen()?;
    let _ownership = Ownership::take(&config.database.database_url)?;
    let (db, clock, vault) = tokio::select! {
        opened = until_there(|| open(&config)) => opened?,
        () = signals.next() => return Ok(()),
    };
    warn_of_openings(settings.uris);
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
        first_start::greet(&keys, running.address)?;
    }
    tokio::select! {
        () = signals.next() => stop(running, signals).await,
        failed = running.failed() => failed,
    }
}

async fn stop(running: Running, mut signals: Signals) -> anyhow::Result<()> {
    info!("stopping");
    tokio::select! {
        stopped = running.stop(GRACE) => stopped?,
        () = signals.next() => bail!("stopped at once; what was in flight is repeated after the next start"),
    }
    info!("stopped");
    Ok(())
}

/// The database, up to date, with the time to go by and with what opens its secrets.
async fn open(config: &config::Options) -> anyhow::Result<(Db, Clock, Vault)> {
    let db = Db::open(&config.database.database_url).await?;
    let clock = timekeeper::clock(&db).await?;
    let vault = open_vault(&config.encryption, &config.database, &db).await?;
    Ok((db, clock, vault))
}

/// A vault that opens what the database holds, whichever key each secret was encrypted with. A new
/// key is made only when it holds nothing yet.
async fn open_vault(
    options: &encryption::Options,
    database: &database::Options,
    db: &Db,
) -> anyhow::Result<Vault> {
    let file = encryption::default_file(database);
    let samples = signing_keys::samples(db.reader()).await?;
    let Some(vault) = options.vault(database)? else {
        if samples.is_empty() {
            return make_key(&file, database);
        }
        bail!(
            "{} is missing, and the database has secrets that only its key can open: \
             put it back, or name its place with --encryption-key-file",
            file.display()
        )
    };
    for key in samples {
        let opened = vault.open(key.id.as_str(), &key.sealed_secret);
        opened.context("the encryption key is not the one of this database, or an earlier one is missing")?;
    }
    Ok(vault)
}

fn make_key(file: &std::path::Path, database: &database::Options) -> anyhow::Result<Vault> {
    let vault = encryption::make(file)?;
    info!(file = %file.display(), "made an encryption key; keep a copy, without it no secret can be read");
    if !database.is_sqlite() {
        info!("all servers on one PostgreSQL database need the same encryption key");
    }
    Ok(vault)
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

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
