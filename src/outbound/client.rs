//! The one HTTP client: it posts a notification and tells how that ended.
//!
//! A receiver that misbehaves is an [`Answer`], never an error of ours. One
//! deadline spans name lookup, connection, TLS, headers and body (W6); redirects
//! are not followed (W1), no proxy is used, and what is read is bounded.
//!
//! A request is sent again only when it was certainly not read: its connection was closed
//! before a byte was sent, or HTTP/2 says so. That is no attempt, so it goes on until the
//! deadline. All else that goes wrong on a connection is a failed attempt; and what goes wrong
//! with us, before there is a connection, is none at all.

use std::time::Duration;

use bytes::Bytes;
use entity::FailureReason;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::Error;
use tokio::time::{Instant, sleep};

use crate::outbound::classify::Fault;
use crate::outbound::destination::Destination;
use crate::outbound::options::Options;
use crate::outbound::outcome::Answer;
use crate::outbound::pools::Pools;
use crate::outbound::suspicion::Suspicions;
use crate::outbound::trouble::Trouble;
use crate::outbound::{classify, routes};
use crate::quota::files::Files;
use crate::rules::{signature, uri};

/// How often a request that was not read is sent again without a pause, and the first pause after
/// that, which doubles up to the longest.
const AT_ONCE: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How many headers a request has, with those that the library writes; a replay has one more.
const HEADERS: usize = 6;

const SIGNATURE: HeaderName = HeaderName::from_static(signature::HEADER);
const REPLAY: HeaderName = HeaderName::from_static("highnote-replay");

/// Posts notifications over pooled connections.
#[derive(Debug)]
pub struct HttpClient {
    pools: Pools,
    suspicions: Suspicions,
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

/// Why there is no whole answer.
#[derive(Debug)]
enum End {
    Failed(FailureReason),
    Ours(Trouble),
}

impl From<FailureReason> for End {
    fn from(reason: FailureReason) -> Self {
        Self::Failed(reason)
    }
}

impl HttpClient {
    /// Builds the client.
    ///
    /// # Errors
    /// When the extra certificate authority cannot be read, or nobody would be trusted.
    pub fn new(options: &Options, files: &Files) -> anyhow::Result<Self> {
        // Whoever asks later whether they are lost has to know that they were there.
        routes::are_there();
        Ok(Self {
            pools: Pools::new(options, files)?,
            suspicions: Suspicions::default(),
            user_agent: HeaderValue::from_str(&options.user_agent)?,
            deadline: options.deadline,
            uris: options.uris,
        })
    }

    /// Sends one attempt, and waits for its end, but not beyond the deadline.
    ///
    /// # Errors
    /// What we lack ourselves, so that it was not even begun.
    pub async fn post(&self, notification: Notification<'_>) -> Result<Answer, Trouble> {
        let start = Instant::now();
        let mut answer = Answer::default();
        let mut resends = 0;
        let exchange = self.exchange(notification, &mut answer, &mut resends);
        let failure = match tokio::time::timeout(self.deadline, exchange).await {
            Ok(Ok(())) => None,
            Ok(Err(End::Failed(failure))) => Some(failure),
            Ok(Err(End::Ours(trouble))) => return Err(trouble),
            // It has refused to read for as long as it was asked.
            Err(_) if resends > 0 => Some(FailureReason::Protocol),
            Err(_) => Some(FailureReason::Timeout),
        };
        Ok(Answer { failure, duration: start.elapsed(), ..answer })
    }

    async fn exchange(
        &self,
        notification: Notification<'_>,
        answer: &mut Answer,
        resends: &mut u32,
    ) -> Result<(), End> {
        notification.destination.check(self.uris)?;
        let response = self.send(notification, resends).await?;
        Ok(answer.note(response).await?)
    }

    /// Sends it, and again while it was certainly not read.
    async fn send(
        &self,
        notification: Notification<'_>,
        resends: &mut u32,
    ) -> Result<Response<Incoming>, End> {
        let destination = notification.destination;
        let mut is_room = true;
        loop {
            let pool = if is_room { self.pools.pick(destination) } else { self.pools.unkept() };
            let error = match pool.request(self.request(&notification)).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match classify::judge(&error) {
                Fault::NoRoom => {
                    is_room = false;
                    continue;
                }
                Fault::Goodbye => destination.spread().widen(Instant::now()),
                Fault::Unread => {}
                Fault::Ours(trouble) => return Err(End::Ours(trouble)),
                Fault::Theirs(reason) => return Err(self.failed(destination, &error, reason).into()),
            }
            sleep(pause(*resends)).await;
            *resends += 1;
        }
    }

    /// What is wrong with a receiver's certificate is told, because nobody finds it out otherwise.
    fn failed(&self, destination: &Destination, error: &Error, reason: FailureReason) -> FailureReason {
        if let Some(error) = classify::tls(error) {
            self.suspicions.note(destination.host(), error);
        }
        reason
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

/// How long a request waits that was sent again so often.
fn pause(resends: u32) -> Duration {
    match resends.checked_sub(AT_ONCE) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_refusals_are_resent_more_and_more_slowly() {
        let millis = [0, 7, 8, 9, 10, 13, 14, 1_000, u32::MAX].map(|resends| pause(resends).as_millis());
        assert_eq!(millis, [0, 0, 10, 20, 40, 320, 500, 500, 500]);
    }
}
