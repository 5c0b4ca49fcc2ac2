//! The one HTTP client: it posts a notification and tells how that ended.
//!
//! A receiver that misbehaves is an [`Answer`], never an error of ours. One
//! deadline spans name lookup, connection, TLS, headers and body (W6); redirects
//! are not followed (W1), no proxy is used, and what is read is bounded.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use entity::FailureReason;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Response};
use tokio::time::Instant;
use url::{Host, Url};

use crate::app::Settings;
use crate::rules::{address, limits};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Posts notifications over pooled connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    deadline: Duration,
    private: bool,
}

/// A notification that is ready to be sent.
#[derive(Debug)]
pub struct Notification<'a> {
    /// The target's URI.
    pub uri: &'a str,
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
        let private = settings.uris.private;
        let mut builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .dns_resolver(Arc::new(Guard { private }))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.target_concurrency)
            .tcp_nodelay(true);
        if let Some(path) = &settings.extra_ca {
            let pem = std::fs::read(path).with_context(|| format!("{} could not be read", path.display()))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("{} holds no PEM certificates", path.display()))?;
            builder = builder.tls_certs_merge(authorities);
        }
        Ok(Self { client: builder.build()?, deadline: settings.deadline, private })
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
        let url = self.checked(notification.uri)?;
        let request =
            self.client.post(url).headers(headers(&notification)?).body(Bytes::from(notification.body));
        let mut response = request.send().await.map_err(|error| reason(&error))?;
        answer.status = Some(response.status().as_u16());
        let body = read(&mut response).await;
        answer.excerpt = body.as_deref().ok().map(excerpt);
        // A wrong status is the better reason than a body that was cut off behind it.
        if !response.status().is_success() {
            return Err(FailureReason::Status);
        }
        body.map(drop)
    }

    /// Literal addresses never reach the resolver, so they are looked at here.
    fn checked(&self, uri: &str) -> Result<Url, FailureReason> {
        let url = Url::parse(uri).map_err(|_| FailureReason::Dns)?;
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        match literal {
            Some(address) if !self.private && !address::is_global(address) => {
                Err(FailureReason::BlockedAddress)
            }
            _ => Ok(url),
        }
    }
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

/// The beginning of a body as text that both databases store.
fn excerpt(body: &[u8]) -> String {
    // A character has at most four bytes, so no more than these can matter.
    let head = &body[..body.len().min(limits::EXCERPT_CHARS * 4)];
    String::from_utf8_lossy(head).chars().filter(|&c| c != '\0').take(limits::EXCERPT_CHARS).collect()
}

/// Sorts an error of the client into the classes that attempts tell (X3).
fn reason(error: &reqwest::Error) -> FailureReason {
    if error.is_timeout() {
        return FailureReason::Timeout;
    }
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = source {
        if cause.is::<Blocked>() {
            return FailureReason::BlockedAddress;
        }
        if cause.is::<NotFound>() {
            return FailureReason::Dns;
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

/// Resolves names, and lets only those pass that have no address inside our own network.
#[derive(Debug)]
struct Guard {
    private: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the host has an address that notifications are not sent to")]
struct Blocked;

#[derive(Debug, thiserror::Error)]
#[error("the host could not be resolved")]
struct NotFound;

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| NotFound)?;
            let addresses: Vec<SocketAddr> = found.collect();
            if !private && addresses.iter().any(|found| !address::is_global(found.ip())) {
                return Err(Blocked.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
