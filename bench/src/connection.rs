//! One connection of HTTP/1.1 that is kept alive: hyper without a pool or anything
//! else around it. The ceiling and the load are made of these.

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An open connection to one host.
pub(crate) struct Connection {
    url: String,
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects to `http://HOST:PORT`.
    pub(crate) async fn open(url: &str) -> anyhow::Result<Self> {
        let host = url.strip_prefix("http://").context("only http is spoken here")?.to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { url: url.to_owned(), host, sender })
    }

    /// The body behind a path.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Bytes> {
        self.exchange(Method::GET, path, &[], Bytes::new()).await
    }

    /// Posts JSON, and answers the body of the answer.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Bytes> {
        self.exchange(Method::POST, path, headers, body).await
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Bytes> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.host);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // Who has not asked anything for some seconds is hung up on.
        if self.sender.ready().await.is_err() {
            *self = Self::open(&self.url).await?;
        }
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        ensure!(status == StatusCode::OK, "{path} answered {status}: {}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }
}

/// The body behind a URL `http://HOST:PORT/PATH`, over a connection of its own.
pub(crate) async fn get(url: &str, path: &str) -> anyhow::Result<Bytes> {
    Connection::open(url).await?.get(path).await
}
