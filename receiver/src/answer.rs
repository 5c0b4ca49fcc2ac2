//! Every way in which a receiver may answer, from polite to hostile.
//!
//! An answer is given after the request was read and recorded. Those that
//! HTTP has no words for spoil the line beneath it.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_LENGTH, HeaderValue, IntoHeaderName, LOCATION};
use hyper::{Response, StatusCode};
use tokio::time::sleep;

use crate::Gate;
use crate::line::{PAUSE, Switch};

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// What the receiver does once it has read a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status from 100 to 999 without a body.
    Status(u16),
    /// A status with a body.
    Body(u16, Bytes),
    /// A status with one more header.
    With(u16, &'static str, String),
    /// 302 to another place.
    Redirect(String),
    /// Nothing, ever.
    Hang,
    /// Says over HTTP/2 that it did not process the request.
    Refuse,
    /// Closes the connection without an answer.
    Close,
    /// Resets the connection without an answer.
    Reset,
    /// 200, then one byte of the body every 50 ms, for ever.
    Drip,
    /// One byte of the status and the headers every 50 ms, for minutes.
    DripHeaders,
    /// 200 with a body of that many bytes, its length not announced.
    Huge(usize),
    /// 200 with so many headers.
    Headers(usize),
    /// 200 with 10 of 100 announced bytes, then closes the connection.
    CutOff,
    /// Another answer, later.
    After(Duration, Box<Answer>),
    /// 200 once the gate is open.
    Held(Gate),
}

impl Answer {
    /// A status with a body of text.
    pub fn body(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Body(status, body.into())
    }

    /// This answer, but later.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self::After(delay, Box::new(self))
    }

    pub(crate) async fn give(mut self, line: Switch) -> Response<Body> {
        while let Self::After(delay, answer) = self {
            sleep(delay).await;
            self = *answer;
        }
        match self {
            Self::Hang => pending().await,
            Self::Close => line.hang_up().await,
            Self::Reset => line.reset().await,
            Self::DripHeaders => line.slow_down(),
            Self::Held(ref gate) => gate.opened().await,
            _ => {}
        }
        self.response(line)
    }

    fn response(self, line: Switch) -> Response<Body> {
        match self {
            Self::Status(status) => response(status, empty()),
            Self::Body(status, body) => response(status, Full::new(body).boxed_unsync()),
            Self::With(status, name, value) => with(response(status, empty()), name, &value),
            Self::Redirect(to) => with(response(302, empty()), LOCATION, &to),
            Self::Drip => response(200, drip()),
            Self::DripHeaders => with(response(200, empty()), "x-padding", &"x".repeat(8 * 1024)),
            Self::Huge(length) => response(200, huge(length)),
            Self::Headers(count) => headers(count),
            Self::CutOff => with(response(200, cut_off(line)), CONTENT_LENGTH, "100"),
            _ => response(200, empty()),
        }
    }
}

fn response(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("scripts name statuses from 100 to 999");
    response
}

fn with(mut response: Response<Body>, name: impl IntoHeaderName, value: &str) -> Response<Body> {
    response.headers_mut().insert(name, value.parse().expect("scripts name values that are headers"));
    response
}

fn headers(count: usize) -> Response<Body> {
    let mut response = response(200, empty());
    for _ in 0..count {
        response.headers_mut().append("x-header", HeaderValue::from_static("a value"));
    }
    response
}

fn empty() -> Body {
    Full::default().boxed_unsync()
}

fn drip() -> Body {
    body(stream::repeat(()).then(async |()| {
        sleep(PAUSE).await;
        Bytes::from_static(b".")
    }))
}

fn huge(length: usize) -> Body {
    let chunks = (0..length).step_by(CHUNK.len()).map(move |start| &CHUNK[..CHUNK.len().min(length - start)]);
    body(stream::iter(chunks.map(Bytes::from_static)))
}

fn cut_off(line: Switch) -> Body {
    let start = stream::iter([Bytes::from_static(b"0123456789")]);
    let end = stream::once(async move {
        // Gives hyper the time to send what it has.
        sleep(PAUSE).await;
        line.hang_up().await
    });
    body(start.chain(end))
}

fn body(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))).boxed_unsync()
}
