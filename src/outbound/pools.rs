//! Which connections a request may go by.
//!
//! The library keeps one connection of HTTP/2 for each origin and pool, and never asks how old
//! one is. So there are several pools. A target whose receiver says goodbye early is spread over more
//! of them, and so over more connections. Every origin moves to fresh ones once in a while, so that
//! a busy connection hears of a new address too; what it leaves is closed when it has been idle.
//!
//! How many connections may be kept is bounded by the files that the process may open. What is beyond
//! goes by connections that are closed with their request, so that idle ones keep nobody waiting.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use crate::outbound::connector::{Connector, Room};
use crate::outbound::destination::Destination;
use crate::outbound::options::Options;
use crate::outbound::spread::SPREAD;
use crate::quota::files::Files;
use crate::rules::limits;

/// The library's client: one pool of connections.
pub(super) type Pool = Client<Connector, Full<Bytes>>;

/// Shorter than what common load balancers wait (60 s), so that it is mostly us who close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How long a connection of HTTP/2 may be silent under a request before it is asked whether it
/// lives, and how long it may take to answer. Else a dead one would take all attempts with it.
const SILENCE: Duration = Duration::from_secs(5);

/// How much a receiver may send ahead of what we have read, by stream and by connection of HTTP/2.
const STREAM_WINDOW: u32 = 64 * 1_024;
const CONNECTION_WINDOW: u32 = 1_024 * 1_024;

/// How long the head of an answer over HTTP/1.1 may become while it is read: what its headers may
/// have, and room for the status line and for what stands between names and values.
const HEAD_BYTES: usize = limits::ANSWER_HEADER_BYTES as usize + 8 * 1_024;

/// All pools.
#[derive(Debug)]
pub(super) struct Pools {
    /// Origins take turns between two sets of them.
    kept: [Vec<Pool>; 2],
    /// The one that keeps nothing.
    unkept: Pool,
    age: Duration,
    began: Instant,
}

impl Pools {
    /// Pools that are empty.
    ///
    /// # Errors
    /// When the extra certificate authority cannot be read.
    pub(super) fn new(options: &Options, files: &Files) -> anyhow::Result<Self> {
        let age = options.connection_age.max(Duration::from_millis(1));
        // What is left behind has to be too old by the time that its origin comes back to its pools.
        let idle = IDLE_TIMEOUT.min(age / 6 * 5);
        let connector = Connector::new(options, files)?;
        let kept = connector.with(Room::kept(files.kept));
        let pools = || (0..SPREAD).map(|_| pool(kept.clone(), idle, options.concurrency)).collect();
        let unkept = pool(connector.with(Room::passing(files.in_flight)), idle, 0);
        Ok(Self { kept: [pools(), pools()], unkept, age, began: Instant::now() })
    }

    /// The pool for a request to this destination, now.
    pub(super) fn pick(&self, destination: &Destination) -> &Pool {
        let now = Instant::now();
        let turn =
            (now - self.began + self.age.mul_f64(destination.phase())).as_nanos() / self.age.as_nanos();
        &self.kept[usize::from(turn % 2 == 1)][destination.spread().next(now)]
    }

    /// The pool for when no more connections can be kept.
    pub(super) fn unkept(&self) -> &Pool {
        &self.unkept
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds clients")]
fn pool(connector: Connector, idle: Duration, most: usize) -> Pool {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(idle)
        // Many targets may be on one host: what all of them had open is kept, or most would be opened anew.
        .pool_max_idle_per_host(most)
        .http1_max_buf_size(HEAD_BYTES)
        .http1_max_headers(limits::ANSWER_HEADERS)
        // Receivers may still fold a header, and whoever reads it has to unfold it (RFC 9112, 5.2).
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http2_max_header_list_size(limits::ANSWER_HEADER_BYTES)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(SILENCE)
        .http2_keep_alive_timeout(SILENCE)
        .build(connector)
}
