//! Connections to receivers: TCP to an address that has passed, and TLS above it.
//!
//! Certificates must be good in the eyes of the system, or of the authorities that the
//! operator added; there is no switch that says otherwise.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use crate::app::Settings;
use crate::app::resolver::Resolver;

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
pub struct Connector {
    parts: Arc<HttpsConnector<HttpConnector<Resolver>>>,
    timeout: Duration,
}

impl Connector {
    /// A connector for these settings.
    ///
    /// # Errors
    /// When the extra certificate authority cannot be read.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let (tcp, tls) = (tcp(settings.uris.private), tls(settings.extra_ca.as_deref())?);
        Ok(Self { parts: Arc::new(HttpsConnector::from((tcp, tls))), timeout: CONNECT_TIMEOUT })
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = timeout(self.timeout, HttpsConnector::clone(&self.parts).call(uri));
        Box::pin(async {
            connected.await.unwrap_or_else(|_| Err(io::Error::from(ErrorKind::TimedOut).into()))
        })
    }
}

fn tcp(private: bool) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::new(private));
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

fn tls(extra_ca: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_protocol_versions(&[&TLS13, &TLS12]);
    let extra = extra_ca.map(authorities).transpose()?.unwrap_or_default();
    let verifier = Verifier::new_with_extra_roots(extra, builder.crypto_provider().clone())?;
    // Any verifier but the library's own is `dangerous`. This one trusts whom the system trusts.
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
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
    use crate::app::http::fault;

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
        let connector = Connector::new(&Settings::default()).unwrap();
        let mut hasty = Connector { timeout: Duration::from_millis(50), ..connector };
        let error = hasty.call(uri).await.unwrap_err();
        assert_eq!(fault::reason(&*error), FailureReason::Timeout);
    }
}
