//! What this machine can send at all: a bare client loop with keep-alive and
//! HMAC, no database, to the same sink.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tokio::net::TcpStream;

use crate::report::Report;
use crate::sink::Sink;
use crate::usage;

const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(3);

/// The scenario's name in the report.
pub const NAME: &str = "ceiling";
/// The figure that ratios are made with.
pub const RATE: &str = "deliveries/s";

/// Measures it.
pub async fn measure(rounds: usize, report: &mut Report) -> anyhow::Result<()> {
    for _ in 0..rounds {
        let sink = Sink::start().await?;
        let (begin, cpu) = (Instant::now(), usage::cpu_seconds(std::process::id()));
        let senders: Vec<_> =
            (0..CONNECTIONS).map(|_| tokio::spawn(send(sink.url.clone(), begin + TIME))).collect();
        let mut sent = 0.0;
        for sender in senders {
            sent += sender.await??;
        }
        report.add(NAME, RATE, sent / begin.elapsed().as_secs_f64());
        let cpu = usage::cpu_seconds(std::process::id()) - cpu;
        report.add(NAME, "client CPU s/1000", cpu / sent * 1_000.0);
    }
    Ok(())
}

async fn send(url: String, until: Instant) -> anyhow::Result<f64> {
    let host = url.trim_start_matches("http://").to_owned();
    let stream = TcpStream::connect(&host).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let body = Bytes::from(vec![b'x'; 1_200]);
    let mut sent = 0.0;
    while Instant::now() < until {
        let mac = Hmac::<Sha256>::new_from_slice(b"a secret of forty-three characters in base64")?;
        let signature = hex::encode(mac.chain_update(&body).finalize().into_bytes());
        let request = Request::post("/fast")
            .header("host", &host)
            .header("content-type", "application/json")
            .header("highnote-signature", signature)
            .body(Full::new(body.clone()))?;
        sender.ready().await?;
        sender.send_request(request).await?.into_body().collect().await?;
        sent += 1.0;
    }
    Ok(sent)
}
