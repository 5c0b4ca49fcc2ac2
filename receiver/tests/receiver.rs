//! The receiver, met by a real client: what it records and how it answers.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use receiver::{Act, Answer, Authority, Certificate, Gate, Protocols, Receiver, Rogue};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SOON: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_request_is_recorded_as_it_came() {
    let authority = Authority::new();
    let receiver = Receiver::start(&authority).await.unwrap();
    let tls = handshake(&receiver, &authority, "http/1.1").await.unwrap();

    let response = send(tls, post("/hook?a=b", "hello")).await.unwrap();

    assert_eq!(response.status(), 200);
    let hook = receiver.next("/hook").await;
    assert_eq!((hook.path.as_str(), hook.query.as_deref()), ("/hook", Some("a=b")));
    assert_eq!((hook.method.as_str(), hook.version), ("POST", Version::HTTP_11));
    assert_eq!(hook.header("X-Event"), Some("hello"));
    assert_eq!(hook.body, "hello");
}

#[tokio::test]
async fn http_2_is_spoken_to_those_who_ask_for_it() {
    let authority = Authority::new();
    let receiver = Receiver::start(&authority).await.unwrap();
    let tls = handshake(&receiver, &authority, "h2").await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    receiver.script("/close", [Answer::Close]);

    let response = sender.send_request(post(&receiver.uri("/hook"), "hello")).await.unwrap();

    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    assert_eq!(receiver.next("/hook").await.version, Version::HTTP_2);
    assert!(sender.send_request(post(&receiver.uri("/close"), "")).await.is_err());
}

#[tokio::test]
async fn another_authority_is_not_trusted() {
    let receiver = Receiver::start(&Authority::new()).await.unwrap();
    assert!(handshake(&receiver, &Authority::new(), "h2").await.is_err());
}

#[tokio::test]
async fn certificates_are_as_bad_and_protocols_as_few_as_asked() {
    let authority = Authority::new();
    for certificate in [Certificate::Expired, Certificate::Premature, Certificate::Misnamed] {
        let receiver = Receiver::start_as(&authority, certificate, Protocols::Both).await.unwrap();
        assert!(handshake(&receiver, &authority, "h2").await.is_err(), "{certificate:?}");
    }
    for (protocols, spoken, refused) in
        [(Protocols::Http1, "http/1.1", "h2"), (Protocols::Http2, "h2", "http/1.1")]
    {
        let receiver = Receiver::start_as(&authority, Certificate::Valid, protocols).await.unwrap();
        assert!(handshake(&receiver, &authority, spoken).await.is_ok());
        assert!(handshake(&receiver, &authority, refused).await.is_err());
    }
}

#[tokio::test]
async fn a_rogue_says_what_it_was_told_to_and_counts_it() {
    let script = [Act::ok(), Act::say("no"), Act::flood("", "x".repeat(1_024))];
    let rogue = Rogue::start_bare(script).await.unwrap();
    let mut tcp = TcpStream::connect(rogue.address()).await.unwrap();
    for expected in ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "no", "xxxxxxxxxxxxxxxx"] {
        tcp.write_all(b"hello").await.unwrap();
        let mut heard = vec![0; expected.len()];
        tcp.read_exact(&mut heard).await.unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), expected);
    }
    drop(tcp);
    rogue.ended(1).await;
    assert_eq!(rogue.requests(), 3);
    assert!(rogue.sent() > 1_000);
}

#[tokio::test]
async fn a_script_is_followed_and_its_last_answer_repeats() {
    let receiver = Receiver::start_plain().await.unwrap();
    receiver.script("/hook", [Answer::Status(500), Answer::body(202, "ok"), Answer::Redirect("/b".into())]);

    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(&receiver, "/hook").await.unwrap().status().as_u16());
    }

    assert_eq!(statuses, [500, 202, 302, 302]);
    assert_eq!(receiver.count("/hook"), 4);
    assert!(matches!(receiver.received("/hook")[0].answer, Answer::Status(500)));
    assert_eq!(ask(&receiver, "/elsewhere").await.unwrap().status(), 200);
}

#[tokio::test]
async fn next_waits_for_a_request_that_was_not_taken_yet() {
    let receiver = Receiver::start_plain().await.unwrap();
    ask(&receiver, "/hook").await.unwrap();
    receiver.next("/hook").await;

    let (second, response) = tokio::join!(receiver.next("/hook"), ask(&receiver, "/hook"));

    assert_eq!(second.path, "/hook");
    response.unwrap();
}

#[tokio::test]
async fn close_and_reset_end_the_connection_without_an_answer() {
    let receiver = Receiver::start_plain().await.unwrap();
    receiver.script("/hook", [Answer::Close, Answer::Reset]);

    assert_eq!(read_raw(&receiver).await.unwrap(), "");
    assert_eq!(read_raw(&receiver).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(receiver.count("/hook"), 2);
}

#[tokio::test]
async fn close_over_tls_ends_the_connection_without_an_answer() {
    let authority = Authority::new();
    let receiver = Receiver::start(&authority).await.unwrap();
    receiver.script("/hook", [Answer::Close]);
    let tls = handshake(&receiver, &authority, "http/1.1").await.unwrap();
    assert!(send(tls, post("/hook", "")).await.is_err());
    assert_eq!(receiver.count("/hook"), 1);
}

#[tokio::test]
async fn a_body_is_cut_off_after_what_was_sent() {
    let receiver = Receiver::start_plain().await.unwrap();
    receiver.script("/hook", [Answer::CutOff]);
    let raw = read_raw(&receiver).await.unwrap();
    assert!(raw.contains("content-length: 100") && raw.ends_with("\r\n\r\n0123456789"), "{raw}");
}

#[tokio::test]
async fn a_huge_body_has_the_scripted_length() {
    let receiver = Receiver::start_plain().await.unwrap();
    receiver.script("/hook", [Answer::Huge(1_000_001), Answer::Huge(0)]);
    for length in [1_000_001, 0] {
        let body = ask(&receiver, "/hook").await.unwrap().collect().await.unwrap();
        assert_eq!(body.to_bytes().len(), length);
    }
}

#[tokio::test]
async fn a_dripping_body_begins_and_does_not_end() {
    let receiver = Receiver::start_plain().await.unwrap();
    receiver.script("/hook", [Answer::Drip]);
    let mut body = ask(&receiver, "/hook").await.unwrap().into_body();
    for _ in 0..3 {
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), ".");
    }
}

#[tokio::test]
async fn dripping_headers_begin_and_do_not_end() {
    let receiver = Receiver::start_plain().await.unwrap();
    receiver.script("/hook", [Answer::DripHeaders]);
    let mut tcp = request_raw(&receiver).await.unwrap();
    let mut start = [0; 5];
    tcp.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/");
    assert!(timeout(SOON, tcp.read_to_end(&mut Vec::new())).await.is_err());
}

#[tokio::test]
async fn a_hanging_answer_ends_with_the_receiver() {
    let receiver = Receiver::start_plain().await.unwrap();
    receiver.script("/hook", [Answer::Hang]);
    let mut tcp = request_raw(&receiver).await.unwrap();
    receiver.next("/hook").await;
    assert!(timeout(SOON, tcp.read_u8()).await.is_err());
    drop(receiver);
    assert!(tcp.read_u8().await.is_err());
}

#[tokio::test]
async fn a_held_answer_goes_out_when_the_gate_opens() {
    let receiver = Receiver::start_plain().await.unwrap();
    let gate = Gate::new();
    receiver.script("/hook", [Answer::Held(gate.clone())]);
    let mut tcp = request_raw(&receiver).await.unwrap();
    receiver.next("/hook").await;
    assert!(timeout(SOON, tcp.read_u8()).await.is_err());
    gate.open();
    assert_eq!(tcp.read_u8().await.unwrap(), b'H');
}

#[tokio::test]
async fn a_later_answer_is_given_later() {
    let receiver = Receiver::start_plain().await.unwrap();
    receiver.script("/hook", [Answer::Status(204).after(SOON)]);
    let start = std::time::Instant::now();
    assert_eq!(ask(&receiver, "/hook").await.unwrap().status(), 204);
    assert!(start.elapsed() >= SOON);
}

fn post(uri: &str, body: &'static str) -> Request<Full<Bytes>> {
    let request = Request::post(uri).header("x-event", "hello").header("host", "localhost");
    request.body(body.into()).expect("the tests write good requests")
}

async fn ask(receiver: &Receiver, path: &str) -> hyper::Result<Response<Incoming>> {
    let tcp = TcpStream::connect(receiver.address()).await.expect("it listens");
    send(tcp, post(path, "")).await
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

async fn request_raw(receiver: &Receiver) -> std::io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(receiver.address()).await?;
    tcp.write_all(b"GET /hook HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    Ok(tcp)
}

async fn read_raw(receiver: &Receiver) -> std::io::Result<String> {
    let mut answer = String::new();
    request_raw(receiver).await?.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn handshake(
    receiver: &Receiver,
    authority: &Authority,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let certificate = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("it is PEM");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("it is an authority's");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    let tcp = TcpStream::connect(receiver.address()).await?;
    let name = ServerName::try_from("localhost").expect("it is a name");
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}
