//! One connection to a receiver, on which an answer counts for more than how the connection ends.
//!
//! A receiver may answer before it has read the whole request, and close. What is still written
//! then fails, although the answer is there to be read; so a failed write is kept quiet, and reading
//! goes on until the answer or the end. The same way a connection that is reset behind its last
//! byte has ended: whoever reads an answer of a stated length finds out whether it was cut off,
//! and one without a length ends with its connection.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::sync::OwnedSemaphorePermit;

/// A connection, and the room that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Line<T> {
    stream: T,
    /// The receiver takes nothing any more.
    is_cut: bool,
    _room: OwnedSemaphorePermit,
}

impl<T> Line<T> {
    /// A connection that was just made.
    pub(super) fn new(stream: T, room: OwnedSemaphorePermit) -> Self {
        Self { stream, is_cut: false, _room: room }
    }
}

impl<T: Write + Unpin> Line<T> {
    /// Writes, or seems to, if the receiver takes nothing any more. `all` stands for everything.
    fn write<R>(
        &mut self,
        all: R,
        write: impl FnOnce(Pin<&mut T>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if self.is_cut {
            return Poll::Ready(Ok(all));
        }
        match ready!(write(Pin::new(&mut self.stream))) {
            Err(error) if is_end(&error) => {
                self.is_cut = true;
                Poll::Ready(Ok(all))
            }
            written => Poll::Ready(written),
        }
    }
}

/// Whether the other side has gone.
fn is_end(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

impl<T: Read + Unpin> Read for Line<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.stream).poll_read(context, buffer)) {
            Err(error) if is_end(&error) => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl<T: Write + Unpin> Write for Line<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(bytes.len(), |stream| stream.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write((), |stream| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write((), |stream| stream.poll_shutdown(context))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = parts.iter().map(|part| part.len()).sum();
        self.write(all, |stream| stream.poll_write_vectored(context, parts))
    }
}

impl<T: Connection> Connection for Line<T> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}
