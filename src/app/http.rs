//! The one HTTP client: it posts a notification and tells how that ended.
//!
//! A receiver that misbehaves is an [`Answer`], never an error of ours. One
//! deadline spans name lookup, connection, TLS, headers and body (W6); redirects
//! are not followed (W1), no proxy is used, and what is read is bounded.
//!
//! A request is written to a second connection only when the first certainly did not
//! carry it: it was closed before a byte was sent, or HTTP/2 says so. All else
//! that goes wrong on a connection is a failed attempt.

mod answer;
mod connector;
mod destination;
mod fault;

use std::time::Duration;

use bytes::Bytes;
use entity::FailureReason;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use crate::app::Settings;
use crate::rules::{limits, signature, uri};

pub use answer::Answer;
pub use destination::Destination;

use connector::Connector;

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

/// How often a request is sent again that HTTP/2 says was not processed.
const RESENDS: u32 = 2;

/// How many headers a request has, with those that the library writes; a replay has one more.
const HEADERS: usize = 6;

const SIGNATURE: HeaderName = HeaderName::from_static(signature::HEADER);
const REPLAY: HeaderName = HeaderName::from_static("highnote-replay");

/// Posts notifications over pooled connections.
#[derive(Debug)]
pub struct HttpClient {
    client: Client<Connector, Full<Bytes>>,
    user_agent: HeaderValue,
    deadline: Duration,
    uris: uri::Policy,
}

/// A notification that is ready to be sent.
#[derive(Debug)]
pub struct Notification<'a> {
    /// Where it goes.
    pub destination: &'a Destination,
    /// The exact bytes that were signed.
    pub body: Bytes,
    /// The value of `highnote-signature` (W5).
    pub signature: HeaderValue,
    /// Whether it bears `highnote-replay` (W2).
    pub replay: bool,
}

impl HttpClient {
    /// Builds the client.
    ///
    /// # Errors
    /// When the extra certificate authority cannot be read.
    #[expect(clippy::disallowed_methods, reason = "the one place that builds a client")]
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Many targets may be on one host: what all of them had open is kept, or most would be opened anew.
            .pool_max_idle_per_host(settings.concurrency)
            .http1_max_buf_size(HEAD_BYTES)
            .http2_max_header_list_size(limits::ANSWER_HEADER_BYTES)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(SILENCE)
            .http2_keep_alive_timeout(SILENCE)
            .build(Connector::new(settings)?);
        let user_agent = HeaderValue::from_str(&settings.user_agent)?;
        Ok(Self { client, user_agent, deadline: settings.deadline, uris: settings.uris })
    }

    /// Sends one attempt, and waits for its end, but not beyond the deadline.
    pub async fn post(&self, notification: Notification<'_>) -> Answer {
        let start = Instant::now();
        let mut answer = Answer::default();
        let exchange = self.exchange(notification, &mut answer);
        let failure = match tokio::time::timeout(self.deadline, exchange).await {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure),
            Err(_) => Some(FailureReason::Timeout),
        };
        Answer { failure, duration: start.elapsed(), ..answer }
    }

    async fn exchange(
        &self,
        notification: Notification<'_>,
        answer: &mut Answer,
    ) -> Result<(), FailureReason> {
        notification.destination.check(self.uris)?;
        let response = self.send(notification).await.map_err(|error| fault::reason(&error))?;
        answer.note(response).await
    }

    /// Sends it, and again while HTTP/2 says that it was not processed. What finds its connection
    /// closed before a byte was sent, the library puts on another.
    async fn send(&self, notification: Notification<'_>) -> Result<Response<Incoming>, Error> {
        let mut resends = 0;
        loop {
            match self.client.request(self.request(&notification)).await {
                Err(error) if resends < RESENDS && fault::is_unprocessed(&error) => resends += 1,
                end => return end,
            }
        }
    }

    fn request(&self, notification: &Notification<'_>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(notification.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = notification.destination.uri().clone();
        *request.headers_mut() = self.headers(notification);
        request
    }

    fn headers(&self, notification: &Notification<'_>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(SIGNATURE, notification.signature.clone());
        if notification.replay {
            headers.insert(REPLAY, HeaderValue::from_static("true"));
        }
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers
    }
}
