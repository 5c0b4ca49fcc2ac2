//! The body of an answer on its way: a piece at a time, so that it shows whether its client takes it.
//!
//! Over HTTP/2 a client may refuse to take an answer and be busy otherwise, so what the connection
//! does as a whole says nothing about that.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use crate::server::connection::activity::{Answering, Underway};

/// How long a piece is.
const PIECE: usize = 64 * 1_024;

/// The body of an answer.
#[derive(Debug)]
pub(super) struct ResponseBody {
    body: Body,
    /// What has come of the body and was not taken yet.
    rest: Bytes,
    answering: Answering,
}

impl ResponseBody {
    /// The answer to this request.
    pub(super) fn begin(body: Body, underway: Underway) -> Self {
        Self { body, rest: Bytes::new(), answering: underway.answer(Instant::now()) }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.answering.goes_on(Instant::now());
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let length = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::Version;
    use futures_util::StreamExt;

    use super::*;
    use crate::server::connection::activity::Activity;

    #[tokio::test]
    async fn a_long_answer_goes_out_in_pieces_and_is_the_same() {
        let activity = Arc::new(Activity::new(Instant::now()));
        for length in [0, 1, PIECE, PIECE + 1, 5 * PIECE + 7] {
            let text: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let underway = Underway::begin(&activity, Version::HTTP_2);
            let taking = ResponseBody::begin(text.clone().into(), underway);
            assert_eq!(taking.size_hint().exact(), Some(length as u64));
            let pieces: Vec<_> =
                Body::new(taking).into_data_stream().map(|piece| piece.unwrap()).collect().await;
            assert!(pieces.iter().all(|piece| piece.len() <= PIECE));
            assert_eq!(pieces.concat(), text);
        }
    }
}
