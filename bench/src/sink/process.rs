//! What runs in the process that is the sink: one thread, which answers 200 as fast
//! as it can and remembers what has come.
//!
//! `/fast/N` is answered at once, `/hang/N` after ten seconds; activations always at once.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::sink::arrivals::Arrivals;
use crate::sink::http::{self, Kind};

const HANGING: Duration = Duration::from_secs(10);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// Holds any notification that is sent here.
const BUFFER: usize = 4 * 1_024;

/// Says where it is, and runs until it is killed.
pub(crate) async fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    let seen = Arc::new(Mutex::new(Arrivals::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, seen.clone()));
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Arrivals>>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = BytesMut::with_capacity(BUFFER);
    loop {
        while let Some(request) = http::parse(&bytes)? {
            bytes.advance(request.length);
            answer(&mut stream, request.kind, &seen).await?;
        }
        bytes.reserve(BUFFER);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

async fn answer(stream: &mut TcpStream, kind: Kind, seen: &Mutex<Arrivals>) -> anyhow::Result<()> {
    match kind {
        Kind::Count => return tell(stream, &serde_json::to_vec(&look(seen, |seen| seen.count()))?).await,
        Kind::Arrivals => return tell(stream, &serde_json::to_vec(&look(seen, Arrivals::take))?).await,
        Kind::Healthy(target, event) => look(seen, |seen| seen.add(target, event)),
        Kind::Strange => look(seen, Arrivals::add_strange),
        Kind::Activation => {}
        Kind::Hanging => {
            look(seen, Arrivals::hang);
            tokio::time::sleep(HANGING).await;
            look(seen, Arrivals::release);
        }
    }
    Ok(stream.write_all(OK).await?)
}

async fn tell(stream: &mut TcpStream, json: &[u8]) -> anyhow::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", json.len());
    Ok(stream.write_all(&[head.as_bytes(), json].concat()).await?)
}

fn look<T>(seen: &Mutex<Arrivals>, at: impl FnOnce(&mut Arrivals) -> T) -> T {
    at(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}
