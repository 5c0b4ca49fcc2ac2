//! Connections to receivers: TCP to an address that has passed, and TLS above it.
//!
//! Each takes room among the files that the process may open. Certificates must be good in the
//! eyes of the authorities that the system trusts, or of those that the operator added; there is
//! no switch that says otherwise.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_service::Service;

use crate::outbound::classify::is_of_nobody_known;
use crate::outbound::line::Line;
use crate::outbound::options::Options;
use crate::outbound::resolver::Resolver;
use crate::outbound::trouble::{BoxError, NoAuthorities, NoRoom, Trouble};
use crate::quota::files::Files;

/// How long name lookup, TCP and TLS may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be silent before TCP asks whether the other side lives, how long it
/// waits for an answer, and how often it asks.
const PROBE_AFTER: Duration = Duration::from_secs(15);
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;

/// How long what was sent may go without TCP's acknowledgement.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// Opens connections. Its parts are behind one pointer, because the client copies it for each request.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    parts: Arc<HttpsConnector<HttpConnector<Resolver>>>,
    timeout: Duration,
    room: Room,
    has_system_authorities: bool,
}

/// Where connections have their room.
#[derive(Debug, Clone)]
pub(super) enum Room {
    /// Among those that are kept: there is some, or there is none.
    Kept(Arc<Semaphore>),
    /// Among those that end with their request: there will be some soon.
    Passing(Arc<Semaphore>),
}

impl Room {
    /// Room for so many connections that are kept.
    pub(super) fn kept(number: usize) -> Self {
        Self::Kept(places(number))
    }

    /// Room for so many connections that are not.
    pub(super) fn passing(number: usize) -> Self {
        Self::Passing(places(number))
    }

    async fn take(self) -> Result<OwnedSemaphorePermit, NoRoom> {
        match self {
            Self::Kept(places) => places.try_acquire_owned().map_err(|_| NoRoom),
            Self::Passing(places) => places.acquire_owned().await.map_err(|_| NoRoom),
        }
    }
}

fn places(number: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS)))
}

impl Connector {
    /// A connector for these options.
    ///
    /// # Errors
    /// When the extra certificate authority cannot be read, or nobody would be trusted.
    pub(super) fn new(options: &Options, files: &Files) -> anyhow::Result<Self> {
        let (tls, has_system_authorities) = tls(options.extra_ca.as_deref())?;
        let tcp = tcp(Resolver::new(options.uris.private, options.deadline, files.lookups));
        Ok(Self {
            parts: Arc::new(HttpsConnector::from((tcp, tls))),
            timeout: CONNECT_TIMEOUT,
            room: Room::kept(0),
            has_system_authorities,
        })
    }

    /// The same with room for connections.
    pub(super) fn with(&self, room: Room) -> Self {
        Self { room, ..self.clone() }
    }
}

impl Service<Uri> for Connector {
    type Response = Line<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { parts, timeout: within, room, has_system_authorities } = self.clone();
        Box::pin(async move {
            let room = room.take().await?;
            let connected = timeout(within, HttpsConnector::clone(&parts).call(uri)).await;
            let connected = connected.unwrap_or_else(|_| Err(io::Error::from(ErrorKind::TimedOut).into()));
            let stream = connected.map_err(|error| {
                let is_ours = !has_system_authorities && is_of_nobody_known(&*error);
                if is_ours { NoAuthorities(error).into() } else { error }
            })?;
            Ok(Line::new(stream, room))
        })
    }
}

fn tcp(resolver: Resolver) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(resolver);
    // What is above it is not its business.
    tcp.enforce_http(false);
    // The addresses of a name share it, so that a dead one leaves time for the next.
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(PROBE_AFTER));
    tcp.set_keepalive_interval(Some(PROBE_INTERVAL));
    tcp.set_keepalive_retries(Some(PROBES));
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    tcp
}

/// TLS with those who are trusted, and whether the system has any of them. What is wrong with a single
/// one of its certificates is no reason not to start.
fn tls(extra_ca: Option<&Path>) -> anyhow::Result<(ClientConfig, bool)> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(system.certs);
    for certificate in extra_ca.map(authorities).transpose()?.unwrap_or_default() {
        roots.add(certificate).context("a certificate of --extra-ca cannot be used")?;
    }
    if roots.is_empty() {
        bail!("{}, or name a file with --extra-ca", Trouble::Authorities);
    }
    if added == 0 {
        tracing::warn!("{}; only those of --extra-ca are trusted", Trouble::Authorities);
    }
    let mut config = ClientConfig::builder_with_protocol_versions(&[&TLS13, &TLS12])
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, added > 0))
}

fn authorities(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let pem = std::fs::read(path).with_context(|| format!("{} could not be read", path.display()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = read.with_context(|| format!("{} is damaged PEM", path.display()))?;
    ensure!(!certificates.is_empty(), "{} holds no PEM certificates", path.display());
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use entity::FailureReason;
    use tokio::net::TcpListener;

    use super::*;
    use crate::outbound::classify;

    #[test]
    fn a_file_without_certificates_is_refused() {
        for file in ["Cargo.toml", "no such file"] {
            assert!(authorities(Path::new(file)).is_err(), "{file}");
        }
    }

    #[tokio::test]
    async fn a_handshake_that_does_not_end_is_given_up() {
        let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let uri = format!("https://{}/", mute.local_addr().unwrap()).parse().unwrap();
        let files = Files::divide(1, 1);
        let connector = Connector::new(&Options::default(), &files).unwrap().with(Room::kept(1));
        let mut hasty = Connector { timeout: Duration::from_millis(50), ..connector };
        let error = hasty.call(uri).await.unwrap_err();
        assert_eq!(classify::reason(&*error), FailureReason::Timeout);
    }
}
