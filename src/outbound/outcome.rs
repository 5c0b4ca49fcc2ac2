//! How an attempt ended, and what is kept of what a receiver said.

use std::time::Duration;

use entity::FailureReason;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::http::response::Parts;

use crate::outbound::classify;
use crate::rules::{limits, text};

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

impl Answer {
    /// Notes what a receiver says, as far as it comes, and whether that is success.
    pub(super) async fn note(&mut self, response: Response<Incoming>) -> Result<(), FailureReason> {
        let (head, body) = response.into_parts();
        self.status = Some(head.status.as_u16());
        self.retry_after = retry_after(&head);
        if size(&head.headers) > limits::ANSWER_HEADER_BYTES as usize {
            return Err(FailureReason::Protocol);
        }
        let body = read(body).await;
        self.excerpt = body.as_deref().ok().map(excerpt);
        // A wrong status is the better reason than a body that was cut off behind it.
        if !head.status.is_success() {
            return Err(FailureReason::Status);
        }
        body.map(drop)
    }
}

/// Only these two statuses say with it that the receiver has too much to do.
fn retry_after(head: &Parts) -> Option<String> {
    let says_so = matches!(head.status.as_u16(), 429 | 503);
    let headers = head.headers.get_all(RETRY_AFTER).iter().filter(|_| says_so);
    let said: Vec<&str> = headers.filter_map(|header| header.to_str().ok()).collect();
    // What a proxy makes of several headers of one name.
    (!said.is_empty()).then(|| said.join(", "))
}

/// How many bytes the names and values of headers have.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// Reads the body up to the limit; what lies beyond is dropped with its connection.
async fn read(mut body: Incoming) -> Result<Vec<u8>, FailureReason> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| classify::reason(&error))?;
        if let Ok(chunk) = frame.into_data() {
            read.extend_from_slice(&chunk[..chunk.len().min(limits::ANSWER_BYTES - read.len())]);
        }
        if read.len() == limits::ANSWER_BYTES {
            break;
        }
    }
    Ok(read)
}

/// The beginning of a body as text that both databases store and every terminal can show.
fn excerpt(body: &[u8]) -> String {
    // A character has at most four bytes, so no more than these can matter.
    let head = &body[..body.len().min(limits::EXCERPT_CHARS * 4)];
    let is_shown = |&c: &char| matches!(c, '\n' | '\t') || !text::is_unprintable(c);
    String::from_utf8_lossy(head).chars().filter(is_shown).take(limits::EXCERPT_CHARS).collect()
}
