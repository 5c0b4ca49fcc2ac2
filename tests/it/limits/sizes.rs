//! Headers and bodies that are too long.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ISSUED, connect, header, post, rest};
use crate::world::{Api, On, World};

#[tokio::test]
async fn headers_and_bodies_have_a_size() {
    let world = World::on(On::Sqlite).await.unwrap();
    let api = &world.test;
    let long = connect(api, &header(api, &format!("x: {}\r\n", "y".repeat(40_000)))).await;
    assert!(rest(long).await.starts_with("HTTP/1.1 431 "));
    let many = connect(api, &header(api, &"x: y\r\n".repeat(200))).await;
    assert!(rest(many).await.starts_with("HTTP/1.1 431 "));
    let more = "expect: 100-continue\r\ncontent-length: 5000000\r\nconnection: close\r\n";
    let announced = connect(api, &header(api, more)).await;
    assert!(rest(announced).await.starts_with("HTTP/1.1 413 "));
    for encoding in ["gzip", "br", "deflate", "unknown"] {
        let more = format!("content-encoding: {encoding}\r\ncontent-length: 2\r\nconnection: close\r\n");
        let encoded = connect(api, &format!("{}{{}}", header(api, &more))).await;
        assert!(rest(encoded).await.starts_with("HTTP/1.1 415 "), "{encoding}");
    }
}

#[tokio::test]
async fn only_publishing_takes_more_than_a_mebibyte() {
    let world = World::on(On::Sqlite).await.unwrap();
    let (_, integrator) = world.stranger().await;
    let node = |bytes: usize| json!([{ "name": ISSUED, "node": { "text": "x".repeat(bytes) } }]);
    let publish = "mutation($e: [NotificationEventInput!]!) { publishNotificationEvents(input: { events: $e }) { __typename } }";
    let body = |query: &str, bytes| json!({ "query": query, "variables": { "e": node(bytes) } }).to_string();
    for (api, query, bytes, status) in [
        (&world.live, publish, 3_900_000, 200),
        (&world.live, publish, 4_200_000, 413),
        (&world.live, "query($e: [NotificationEventInput!]) { ping }", 1_100_000, 413),
        (
            &world.live,
            "mutation($e: [NotificationEventInput!]!) { publishNotificationEvents(input: { events: $e }) { __typename } revokeAPIKey(input: {apiKeyId: \"x\"}) { __typename } }",
            1_100_000,
            413,
        ),
        (&integrator, publish, 1_000_000, 200),
        (&integrator, publish, 1_100_000, 413),
    ] {
        assert_eq!(post(api, "application/json", body(query, bytes)).await.0, status, "{bytes} {query}");
        let answered = chunked(api, &body(query, bytes)).await;
        assert!(answered.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes} {query}: {answered:.100}");
    }
}

/// The answer to a body that does not say how long it is.
async fn chunked(api: &Api, body: &str) -> String {
    let head = header(api, "transfer-encoding: chunked\r\nconnection: close\r\n");
    let (mut reading, mut writing) = connect(api, &head).await.into_split();
    let chunks: Vec<_> = body.as_bytes().chunks(60_000).collect();
    let writing = async {
        for chunk in chunks {
            let size = format!("{:x}\r\n", chunk.len());
            // A refused client may be cut off before it has sent everything.
            let (sized, sent) = (writing.write_all(size.as_bytes()).await, writing.write_all(chunk).await);
            if sized.and(sent).and(writing.write_all(b"\r\n").await).is_err() {
                return;
            }
        }
        writing.write_all(b"0\r\n\r\n").await.ok();
    };
    let mut answer = Vec::new();
    let ((), read) = tokio::join!(writing, reading.read_to_end(&mut answer));
    read.ok();
    String::from_utf8_lossy(&answer).into_owned()
}
