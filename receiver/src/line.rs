//! One connection that an answer can spoil.
//!
//! HTTP runs over it as over any other stream. Its switch slows it down, ends
//! it or resets it, which HTTP itself has no words for.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// Between two bytes of a slow line.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

pub(crate) type Stream = Either<TlsStream<TcpStream>, TcpStream>;

/// Held by the answers that go over the line.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<State>);

#[derive(Default)]
struct State {
    is_slow: AtomicBool,
    is_reset: AtomicBool,
    hung_up: Notify,
}

impl Switch {
    /// From now on, sends one byte a pause.
    pub(crate) fn slow_down(&self) {
        self.0.is_slow.store(true, Relaxed);
    }

    /// Ends the connection; whoever called this ends with it.
    pub(crate) async fn hang_up<T>(&self) -> T {
        self.0.hung_up.notify_one();
        pending().await
    }

    /// Ends the connection with a TCP reset instead of a farewell.
    pub(crate) async fn reset<T>(&self) -> T {
        self.0.is_reset.store(true, Relaxed);
        self.hang_up().await
    }

    /// Waits until an answer ends the connection.
    pub(crate) async fn hung_up(&self) {
        self.0.hung_up.notified().await;
    }
}

pub(crate) struct Line {
    stream: Stream,
    switch: Switch,
    pause: Pin<Box<Sleep>>,
}

impl Line {
    pub(crate) fn new(stream: Stream, switch: Switch) -> Self {
        Self { stream, switch, pause: Box::pin(sleep(Duration::ZERO)) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.switch.0.is_reset.load(Relaxed) {
            return;
        }
        let tcp = match &self.stream {
            Either::Left(tls) => tls.get_ref().0,
            Either::Right(tcp) => tcp,
        };
        // A client that is already gone needs no reset.
        tcp.set_zero_linger().ok();
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.switch.0.is_slow.load(Relaxed) {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        ready!(self.pause.as_mut().poll(context));
        self.pause.as_mut().reset(Instant::now() + PAUSE);
        Pin::new(&mut self.stream).poll_write(context, &bytes[..bytes.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
