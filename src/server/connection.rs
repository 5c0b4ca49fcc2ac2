//! One connection, from its first byte to its last.

pub(crate) mod activity;
mod io;
pub(crate) mod pool;
mod response_body;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::server::connection::activity::{Activity, Underway, Waiting};
use crate::server::connection::io::Io;
use crate::server::connection::response_body::ResponseBody;

/// How long all headers of a request may be together. More than a hundred are not taken by hyper itself.
const HEADER_BYTES: usize = 32 * 1_024;

/// How many requests one HTTP/2 connection may have under way, and how many it may take back unseen.
const STREAMS: u32 = 128;
const RESET_STREAMS: usize = 32;

/// How much of requests may be on its way before it is read: on one stream, and on one connection.
const STREAM_WINDOW: u32 = 64 * 1_024;
const CONNECTION_WINDOW: u32 = 128 * 1_024;

/// How often the client of a quiet HTTP/2 connection is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Who is at the other end: an extension of every request.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// The address that the connection comes from.
    pub address: IpAddr,
    activity: Arc<Activity>,
}

impl Peer {
    /// Notes that the client is waited for, until the answer is dropped.
    pub(super) fn wait(&self) -> Waiting {
        Waiting::begin(&self.activity)
    }
}

/// How connections are spoken on.
#[derive(Debug, Clone)]
pub(super) struct Protocol(auto::Builder<TokioExecutor>);

impl Protocol {
    /// HTTP/1.1 and HTTP/2 within our limits.
    pub(super) fn new() -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            // It would run on idle connections, too. `Activity` knows the difference.
            .header_read_timeout(None)
            .max_buf_size(HEADER_BYTES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX))
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_INTERVAL);
        Self(builder)
    }

    /// Answers the requests of a connection until its client leaves, or until `leave`.
    pub(super) async fn serve(
        self,
        (stream, address): (TcpStream, IpAddr),
        activity: Arc<Activity>,
        router: Router,
        leave: CancellationToken,
    ) {
        let (io, rest) = Io::new(stream, Arc::clone(&activity));
        let router = TowerToHyperService::new(router);
        let peer = Peer { address, activity };
        let service = service_fn(move |request| {
            let underway = Underway::begin(&peer.activity, request.version());
            let mut request: Request<Body> = request.map(Body::new);
            request.extensions_mut().insert(peer.clone());
            let answer = router.call(request);
            async move {
                let answer = answer.await?;
                Ok::<_, Infallible>(answer.map(|body| ResponseBody::begin(body, underway)))
            }
        });
        let mut connection = Box::pin(self.0.serve_connection(TokioIo::new(io), service));
        tokio::select! {
            // A client that breaks off or speaks nonsense is no news.
            _ = connection.as_mut() => {
                drop(connection);
                return rest.linger().await;
            }
            () = leave.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await.ok();
    }
}
