//! A connection's bytes, watched: when something comes, and when the client takes something.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::server::connection::activity::Activity;

/// How much a client may go on sending after its last answer, and how long.
const LINGERING: usize = 16 * 1_024 * 1_024;
const LINGERING_FOR: Duration = Duration::from_secs(2);

/// The bytes of one connection.
#[derive(Debug)]
pub(super) struct Io {
    stream: Arc<TcpStream>,
    activity: Arc<Activity>,
}

/// What is left of a connection when nothing more is answered on it.
#[derive(Debug)]
pub(super) struct Rest(Arc<TcpStream>);

impl Io {
    /// Watches this connection.
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>) -> (Self, Rest) {
        // Answers are small and whole: waiting for more to send would only delay them.
        stream.set_nodelay(true).ok();
        let stream = Arc::new(stream);
        (Self { stream: Arc::clone(&stream), activity }, Rest(stream))
    }

    fn noted<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &written {
            Poll::Ready(_) => self.activity.wrote(),
            Poll::Pending => self.activity.stalled(Instant::now()),
        }
        written
    }

    fn write(&self, cx: &mut Context<'_>, write: impl Fn() -> io::Result<usize>) -> Poll<io::Result<usize>> {
        let written = loop {
            match self.stream.poll_write_ready(cx) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
            match write() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => break Poll::Ready(written),
            }
        };
        self.noted(written)
    }
}

impl Rest {
    /// Says that nothing more comes, and reads on for a moment: a client that is still sending would see the
    /// connection break off instead of the answer that tells it why.
    pub(super) async fn linger(self) {
        SockRef::from(&*self.0).shutdown(Shutdown::Write).ok();
        timeout(LINGERING_FOR, self.read_on()).await.ok();
    }

    async fn read_on(&self) {
        let (mut left, mut unwanted) = (LINGERING, vec![0; 16 * 1_024]);
        while left > 0 && self.0.readable().await.is_ok() {
            match self.0.try_read(&mut unwanted) {
                Ok(0) => return,
                Ok(length) => left = left.saturating_sub(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(length) => {
                    if length > 0 {
                        self.activity.read(Instant::now());
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, || self.stream.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, || self.stream.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(Shutdown::Write))
    }
}
