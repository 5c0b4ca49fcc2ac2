//! The listening side: from an accepted connection to the state.
//!
//! One task accepts and owns the tasks of all connections, so dropping the
//! receiver ends everything at once, hanging answers too.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

use crate::answer::Body;
use crate::line::{Line, PAUSE, Stream, Switch};
use crate::state::State;
use crate::{Answer, Authority, Certificate, Protocols, Received};

/// A web server on a free port of 127.0.0.1 that answers as it is told.
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    accepting: AbortHandle,
}

impl Receiver {
    /// Listens for HTTPS, with a certificate for localhost, 127.0.0.1 and `::1`.
    pub async fn start(authority: &Authority) -> io::Result<Self> {
        Self::start_as(authority, Certificate::Valid, Protocols::Both).await
    }

    /// Listens for HTTPS with such a certificate and such protocols.
    pub async fn start_as(
        authority: &Authority,
        certificate: Certificate,
        protocols: Protocols,
    ) -> io::Result<Self> {
        let tls = TlsAcceptor::from(Arc::new(authority.server_config(certificate, protocols)));
        Self::listen((Ipv4Addr::LOCALHOST, 0).into(), "https", Some(tls)).await
    }

    /// Listens for HTTP without TLS.
    pub async fn start_plain() -> io::Result<Self> {
        Self::start_plain_at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// The same at this address.
    pub async fn start_plain_at(address: SocketAddr) -> io::Result<Self> {
        Self::listen(address, "http", None).await
    }

    async fn listen(address: SocketAddr, scheme: &'static str, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = Arc::<State>::default();
        let accepting = tokio::spawn(accept(listener, tls, Arc::clone(&state))).abort_handle();
        Ok(Self { address, scheme, state, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The full address of a path, which begins with a slash.
    pub fn uri(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port())
    }

    /// One answer per request to this path; the last one repeats.
    ///
    /// Replaces what is left of an earlier script. A path without one answers 200.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.state.script(path, VecDeque::from_iter(answers));
    }

    /// How many connections were made to it so far.
    pub fn connections(&self) -> usize {
        self.state.connections()
    }

    /// All requests to this path so far, in their order.
    pub fn received(&self, path: &str) -> Vec<Received> {
        self.state.received(path)
    }

    /// All requests to this path that were not taken yet. They are forgotten, so that a receiver
    /// can live for days.
    pub fn take(&self, path: &str) -> Vec<Received> {
        self.state.take_all(path)
    }

    /// How many requests there were to this path so far.
    pub fn count(&self, path: &str) -> usize {
        self.state.count(path)
    }

    /// The first request to this path that `next` has not returned yet; waits for it.
    pub async fn next(&self, path: &str) -> Received {
        self.state.next(path).await
    }
}

/// Ends a request without an answer; hyper tells the client why.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => drop(connections.spawn(serve(tcp, tls.clone(), Arc::clone(&state)))),
            // Out of file descriptors: some will be free again.
            Err(_) => sleep(PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(tcp: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let Ok(stream) = secure(tcp, tls).await else {
        return;
    };
    state.connected();
    let switch = Switch::default();
    let line = TokioIo::new(Line::new(stream, switch.clone()));
    let service = service_fn(|request| answer(request, Arc::clone(&state), switch.clone()));
    let http = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        _ = http.serve_connection(line, service) => {}
        () = switch.hung_up() => {}
    }
}

async fn secure(tcp: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<Stream> {
    tcp.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok(Either::Right(tcp));
    };
    Ok(Either::Left(tls.accept(tcp).await?))
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
    line: Switch,
) -> Result<Response<Body>, Failure> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let answer = state.record(head, body);
    if matches!(answer, Answer::Refuse) {
        return Err(h2::Error::from(h2::Reason::REFUSED_STREAM).into());
    }
    Ok(answer.give(line).await)
}
