//! A server that takes requests and answers with whatever bytes the
//! script says, over TLS or in the place of it.
//!
//! It counts what it sends, so that a test can tell how much of it was taken.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::hear::Hearing;
use crate::{Authority, Certificate, Protocols};

/// What it does once it has a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Says this and waits for the next request.
    Say(Bytes),
    /// Says this and closes the connection, as is its right.
    SayAndClose(Bytes),
    /// Says the first, and then the second again and again.
    Flood(Bytes, Bytes),
}

impl Act {
    /// 200 without a body, and the connection stays open.
    pub fn ok() -> Self {
        Self::Say(Bytes::from_static(OK))
    }

    /// 200 without a body; the connection seems to stay open, but is closed at once.
    pub fn ok_and_close() -> Self {
        Self::SayAndClose(Bytes::from_static(OK))
    }

    /// Says this and waits.
    pub fn say(text: impl Into<Bytes>) -> Self {
        Self::Say(text.into())
    }

    /// Says the first, and then the second again and again.
    pub fn flood(first: impl Into<Bytes>, second: impl Into<Bytes>) -> Self {
        Self::Flood(first.into(), second.into())
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A server on a free port of 127.0.0.1 that keeps to no rules.
pub struct Rogue {
    address: SocketAddr,
    log: Arc<Log>,
    accepting: AbortHandle,
}

struct Log {
    script: Mutex<VecDeque<Act>>,
    requests: AtomicUsize,
    sent: AtomicU64,
    ended: watch::Sender<usize>,
}

impl Rogue {
    /// One act per request, over TLS with a proper certificate; the last one repeats.
    pub async fn start(authority: &Authority, script: impl IntoIterator<Item = Act>) -> io::Result<Self> {
        let config = authority.server_config(Certificate::Valid, Protocols::Http1);
        Self::listen(Some(TlsAcceptor::from(Arc::new(config))), Hearing::Http1, script).await
    }

    /// The same with HTTP/2: what it says are frames, from the first one of a server's connection.
    pub async fn start_http2(
        authority: &Authority,
        script: impl IntoIterator<Item = Act>,
    ) -> io::Result<Self> {
        let config = authority.server_config(Certificate::Valid, Protocols::Http2);
        Self::listen(Some(TlsAcceptor::from(Arc::new(config))), Hearing::Http2, script).await
    }

    /// Over TLS, but it acts as soon as it has heard the first word of a request.
    pub async fn start_hasty(
        authority: &Authority,
        script: impl IntoIterator<Item = Act>,
    ) -> io::Result<Self> {
        let config = authority.server_config(Certificate::Valid, Protocols::Http1);
        Self::listen(Some(TlsAcceptor::from(Arc::new(config))), Hearing::FirstWord, script).await
    }

    /// One act per first word of a client, without TLS, whatever the client believes.
    pub async fn start_bare(script: impl IntoIterator<Item = Act>) -> io::Result<Self> {
        Self::listen(None, Hearing::FirstWord, script).await
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        hearing: Hearing,
        script: impl IntoIterator<Item = Act>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let log = Arc::new(Log {
            script: Mutex::new(script.into_iter().collect()),
            requests: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            ended: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, tls, hearing, Arc::clone(&log))).abort_handle();
        Ok(Self { address, log, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The full address of a path, which begins with a slash. It promises TLS.
    pub fn uri(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Replaces what is left of the script.
    pub fn script(&self, script: impl IntoIterator<Item = Act>) {
        *self.log.script() = script.into_iter().collect();
    }

    /// How many requests it has taken.
    pub fn requests(&self) -> usize {
        self.log.requests.load(SeqCst)
    }

    /// How many bytes it has got rid of.
    pub fn sent(&self) -> u64 {
        self.log.sent.load(SeqCst)
    }

    /// Waits until so many connections have ended.
    pub async fn ended(&self, connections: usize) {
        let mut ended = self.log.ended.subscribe();
        // The sender lives as long as this, so there is always an end.
        ended.wait_for(|&ended| ended >= connections).await.ok();
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Log {
    fn script(&self) -> std::sync::MutexGuard<'_, VecDeque<Act>> {
        self.script.lock().expect("nothing panics while it holds the lock")
    }

    /// The last act of a script is never used up.
    fn next(&self) -> Act {
        self.requests.fetch_add(1, SeqCst);
        let mut script = self.script();
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }.unwrap_or_else(Act::ok)
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, hearing: Hearing, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        connections.spawn(serve(tcp, tls.clone(), hearing, Arc::clone(&log)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(tcp: TcpStream, tls: Option<TlsAcceptor>, hearing: Hearing, log: Arc<Log>) {
    let talked = match tls {
        None => talk(tcp, hearing, &log).await,
        Some(tls) => match tls.accept(tcp).await {
            Ok(stream) => talk(stream, hearing, &log).await,
            Err(error) => Err(error),
        },
    };
    // Clients go when they have had enough, which ends most of these talks.
    talked.ok();
    log.ended.send_modify(|ended| *ended += 1);
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    hearing: Hearing,
    log: &Log,
) -> io::Result<()> {
    loop {
        hearing.wait(&mut stream).await?;
        match log.next() {
            Act::Say(words) => say(&mut stream, &words, log).await?,
            Act::SayAndClose(words) => {
                say(&mut stream, &words, log).await?;
                return stream.shutdown().await;
            }
            Act::Flood(first, again) => {
                say(&mut stream, &first, log).await?;
                loop {
                    say(&mut stream, &again, log).await?;
                }
            }
        }
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), words: &[u8], log: &Log) -> io::Result<()> {
    stream.write_all(words).await?;
    stream.flush().await?;
    log.sent.fetch_add(words.len() as u64, SeqCst);
    Ok(())
}
