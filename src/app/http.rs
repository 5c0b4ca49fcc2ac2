//! The one HTTP client: it posts a notification and tells how that ended.
//!
//! A receiver that misbehaves is an [`Answer`], never an error of ours. One
//! deadline spans name lookup, connection, TLS, headers and body (W6); redirects
//! are not followed (W1), no proxy is used, and what is read is bounded.
//!
//! A request is written to a second connection only when the first certainly did not
//! carry it: it was closed before a byte was sent, or HTTP/2 says so. All else
//! that goes wrong on a connection is a failed attempt.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use entity::FailureReason;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::tls::Version;
use reqwest::{Certificate, Response};
use tokio::time::Instant;
use url::{Host, Url};

use crate::app::Settings;
use crate::app::resolver::{Refusal, Resolver};
use crate::rules::{address, limits, text, uri};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than what common load balancers wait (60 s), so that it is mostly us who close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// How long a connection of HTTP/2 may be silent under a request before it is asked whether it
/// lives, and how long it may take to answer. Else a dead one would take all attempts with it.
const SILENCE: Duration = Duration::from_secs(5);

/// How much a receiver may send ahead of what we have read, by stream and by connection of HTTP/2.
const STREAM_WINDOW: u32 = 64 * 1_024;
const CONNECTION_WINDOW: u32 = 1_024 * 1_024;

/// Posts notifications over pooled connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    deadline: Duration,
    uris: uri::Policy,
}

/// A notification that is ready to be sent.
#[derive(Debug)]
pub struct Notification<'a> {
    /// The target's URI.
    pub url: &'a Url,
    /// The exact bytes that were signed.
    pub body: Vec<u8>,
    /// The value of `highnote-signature` (W5).
    pub signature: String,
    /// Whether it bears `highnote-replay` (W2).
    pub replay: bool,
}

/// How the attempt ended.
#[derive(Debug, Default)]
pub struct Answer {
    /// Why it failed; none if a 2xx was complete in time.
    pub failure: Option<FailureReason>,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// The first characters of the body, if there was one.
    pub excerpt: Option<String>,
    /// When it says to come again, as it says it.
    pub retry_after: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

impl HttpClient {
    /// Builds the client.
    ///
    /// # Errors
    /// When the extra certificate authority cannot be read.
    #[expect(clippy::disallowed_methods, reason = "the one place that builds a client")]
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .tls_version_min(Version::TLS_1_2)
            .dns_resolver(Arc::new(Resolver::new(settings.uris.private)))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.target_concurrency)
            .http2_max_header_list_size(limits::ANSWER_HEADER_BYTES)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(SILENCE)
            .http2_keep_alive_timeout(SILENCE)
            .tcp_nodelay(true);
        if let Some(path) = &settings.extra_ca {
            let pem = std::fs::read(path).with_context(|| format!("{} could not be read", path.display()))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("{} holds no PEM certificates", path.display()))?;
            builder = builder.tls_certs_merge(authorities);
        }
        Ok(Self { client: builder.build()?, deadline: settings.deadline, uris: settings.uris })
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
        let url = self.checked(notification.url)?;
        let request =
            self.client.post(url).headers(headers(&notification)?).body(Bytes::from(notification.body));
        let mut response = request.send().await.map_err(|error| reason(&error))?;
        answer.status = Some(response.status().as_u16());
        answer.retry_after = retry_after(&response);
        if size(response.headers()) > limits::ANSWER_HEADER_BYTES as usize {
            return Err(FailureReason::Protocol);
        }
        let body = read(&mut response).await;
        answer.excerpt = body.as_deref().ok().map(excerpt);
        // A wrong status is the better reason than a body that was cut off behind it.
        if !response.status().is_success() {
            return Err(FailureReason::Status);
        }
        body.map(drop)
    }

    /// What is allowed may have changed since the target was added. Literal addresses never reach
    /// the resolver, so they are looked at here.
    fn checked(&self, url: &Url) -> Result<Url, FailureReason> {
        if url.scheme() != "https" && !self.uris.http {
            return Err(FailureReason::Tls);
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        match literal {
            Some(address) if !self.uris.private && !address::is_global(address) => {
                Err(FailureReason::BlockedAddress)
            }
            _ => Ok(url.clone()),
        }
    }
}

/// Only these two statuses say with it that the receiver has too much to do.
fn retry_after(response: &Response) -> Option<String> {
    let says_so = matches!(response.status().as_u16(), 429 | 503);
    let header = response.headers().get(RETRY_AFTER).filter(|_| says_so)?;
    Some(header.to_str().ok()?.to_owned())
}

fn headers(notification: &Notification<'_>) -> Result<HeaderMap, FailureReason> {
    let signature = HeaderValue::from_str(&notification.signature).map_err(|_| FailureReason::Protocol)?;
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("highnote-signature", signature);
    if notification.replay {
        headers.insert("highnote-replay", HeaderValue::from_static("true"));
    }
    Ok(headers)
}

/// How many bytes the names and values of headers have.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Reads the body up to the limit; what lies beyond is dropped with its connection.
async fn read(response: &mut Response) -> Result<Vec<u8>, FailureReason> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        body.extend_from_slice(&chunk[..chunk.len().min(limits::ANSWER_BYTES - body.len())]);
        if body.len() == limits::ANSWER_BYTES {
            break;
        }
    }
    Ok(body)
}

/// The beginning of a body as text that both databases store and every terminal can show.
fn excerpt(body: &[u8]) -> String {
    // A character has at most four bytes, so no more than these can matter.
    let head = &body[..body.len().min(limits::EXCERPT_CHARS * 4)];
    let is_shown = |&c: &char| matches!(c, '\n' | '\t') || !text::is_unprintable(c);
    String::from_utf8_lossy(head).chars().filter(is_shown).take(limits::EXCERPT_CHARS).collect()
}

/// Sorts an error of the client into the classes that attempts tell (X3).
fn reason(error: &reqwest::Error) -> FailureReason {
    if error.is_timeout() {
        return FailureReason::Timeout;
    }
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = source {
        match cause.downcast_ref() {
            Some(Refusal::Blocked) => return FailureReason::BlockedAddress,
            Some(Refusal::NotFound) => return FailureReason::Dns,
            None => {}
        }
        if is_tls(cause) {
            return FailureReason::Tls;
        }
        source = cause.source();
    }
    if error.is_connect() { FailureReason::Connect } else { FailureReason::Protocol }
}

/// Errors of TLS come wrapped into errors of I/O, which do not name them as their source.
fn is_tls(cause: &(dyn StdError + 'static)) -> bool {
    let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    cause.is::<rustls::Error>() || wrapped.is_some_and(|inner| is_tls(inner))
}
