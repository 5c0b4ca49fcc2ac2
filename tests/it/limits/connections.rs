//! Clients who send and take nothing, slowly, or many at a time.

use futures_util::future::join_all;
use reprise::app::Settings;
use reprise::quota::limits::Timeouts;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::{ENOUGH, ISSUED, PING, SHORT, address, connect, header, rest, waiting};
use world::{On, World};

#[tokio::test]
async fn clients_that_send_nothing_or_drip_are_disconnected() {
    let for_header = World::with(On::Sqlite, waiting(|for_| for_.header = SHORT)).await.unwrap();
    for (first, answered) in [
        ("", ""),
        ("POST /gra", ""),
        ("POST /graphql HTTP/1.1\r\nhost: x\r\n", ""),
        ("PRI * HTTP/2.0\r\n", ""),
        // The settings of HTTP/2, whose frame has 24 bytes.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\u{18}\u{4}"),
    ] {
        is_sent_away(&for_header, first, answered).await;
    }
    let mut dripping = connect(&for_header.test, "POST /graphql HTTP/1.1\r\n").await;
    while dripping.write_all(b"x: y\r\n").await.is_ok() {
        tokio::task::yield_now().await;
    }

    let for_body = |for_: &mut Timeouts| (for_.body, for_.idle) = (SHORT, ENOUGH);
    let for_body = World::with(On::Sqlite, waiting(for_body)).await.unwrap();
    for more in ["content-length: 100\r\n", "transfer-encoding: chunked\r\n"] {
        is_sent_away(&for_body, &header(&for_body.test, more), "HTTP/1.1 408 ").await;
    }
    let begun = header(&for_body.test, "content-length: 100\r\n") + "{";
    is_sent_away(&for_body, &begun, "HTTP/1.1 408 ").await;

    let idle = World::with(On::Sqlite, waiting(|for_| for_.idle = ENOUGH)).await.unwrap();
    let ping = r#"{"query": "{ ping }"}"#;
    let whole = header(&idle.test, &format!("content-length: {}\r\n", ping.len())) + ping;
    is_sent_away(&idle, &whole, "HTTP/1.1 200 ").await;
    is_sent_away(&idle, &(whole + "POST /gra"), "HTTP/1.1 200 ").await;
    for world in [for_header, for_body, idle] {
        world.test.ok(PING, json!({})).await;
    }
}

/// Whoever says this is answered so, or not at all, and then the connection ends.
async fn is_sent_away(world: &World, first: &str, answered: &str) {
    let answer = rest(connect(&world.test, first).await).await;
    assert!(answer.starts_with(answered) && answer.is_empty() == answered.is_empty(), "{first}: {answer}");
}

#[tokio::test]
async fn clients_that_read_no_answers_are_disconnected() {
    let world = World::with(On::Sqlite, waiting(|for_| for_.write = SHORT)).await.unwrap();
    let query = r#"{"query": "{ __schema { types { name description fields { name description } } } }"}"#;
    let request = format!("{}{query}", header(&world.test, &format!("content-length: {}\r\n", query.len())));
    let mut stream = connect(&world.test, "").await;
    // Asked for again and again until nothing more goes through, and then until the end.
    while stream.write_all(request.as_bytes()).await.is_ok() {}
}

/// As many connections as this machine lets one process have, up to 10,000: both ends are here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_dripping_connections_do_not_stop_a_publish() {
    reprise::quota::files::raise_limit();
    let world = World::on(On::Sqlite).await.unwrap();
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let files = reprise::quota::files::limit();
    let number = files.saturating_sub(6_000).max(files / 4).min(10_000);
    let mut dripping = Vec::with_capacity(number);
    while dripping.len() < number {
        let more = (0..100).map(|_| connect(&world.live, "POST /graphql HTTP/1.1\r\nhost: x\r\n"));
        dripping.extend(join_all(more).await);
    }
    for stream in &dripping {
        stream.try_write(b"x: y\r\n").ok();
    }
    let event = world.live.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(world.live.attempts(&event).await.len(), 1);
    assert!(dripping.len() >= number);
}

#[tokio::test]
async fn a_crowd_from_one_address_does_not_push_out_others() {
    let few = |settings: &mut Settings| settings.limits.connections = 20;
    let world = World::with(On::Sqlite, few).await.unwrap();
    let ping = r#"{"query": "{ ping }"}"#;
    let request = format!("{}{ping}", header(&world.test, &format!("content-length: {}\r\n", ping.len())));
    // The oldest of all connections, and idle most of the time.
    let mut quiet = connect(&world.test, &request).await;
    let mut answer = [0; 4_096];
    assert!(quiet.read(&mut answer).await.unwrap() > 0);
    let mut crowd = Vec::new();
    for _ in 0..200 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        crowd.push(socket.connect(address(&world.test)).await.unwrap());
    }
    quiet.write_all(request.as_bytes()).await.unwrap();
    let length = quiet.read(&mut answer).await.unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200 "));
    assert_eq!(rest(crowd.remove(0)).await, "", "the first of the crowd had to leave");
}
