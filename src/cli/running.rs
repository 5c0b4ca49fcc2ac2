//! A server in this process: the delivery engine and the API at an address.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::App;
use crate::delivery::Engine;
use crate::server;

/// A running server.
#[derive(Debug)]
pub(crate) struct Running {
    /// Where it listens; the port is known even if any would do.
    pub address: SocketAddr,
    app: App,
    engine: Engine,
    shutdown: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// Starts engine and API. Requests are answered as soon as this returns.
    ///
    /// # Errors
    /// When nobody may listen at the address.
    pub(crate) async fn start(app: App, address: SocketAddr) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let (address, shutdown) = (listener.local_addr()?, CancellationToken::new());
        let engine = Engine::start(app.clone());
        let server = tokio::spawn(server::serve(app.clone(), listener, shutdown.clone()));
        Ok(Self { address, app, engine, shutdown, server })
    }

    /// Waits for the API, or a task of the engine, to end by itself, which neither should.
    ///
    /// # Errors
    /// Always: with the cause.
    pub(crate) async fn failed(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            ended = &mut self.server => ended.context("the API has ended")??,
            task = self.engine.failed() => bail!("the delivery engine has failed: its {task} has ended"),
        }
        bail!("the API has ended")
    }

    /// Takes no more requests, finishes or gives back what is in flight, and closes the database.
    pub(crate) async fn stop(self, within: Duration) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let abort = self.server.abort_handle();
        let (answered, ()) =
            tokio::join!(tokio::time::timeout(within, self.server), self.engine.stop(within));
        if answered.is_err() {
            warn!("some clients had no answer in time");
            abort.abort();
        }
        Ok(self.app.db.clone().close().await?)
    }
}
