//! Headers and bodies that are too long.

use std::process::Command;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ISSUED, connect, header, post, rest};
use world::{Api, On, World};

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
        (&world.live, "{ ping }", 1_100_000, 413),
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

/// Whoever is still sending when the answer comes sees the answer, and no connection that breaks off.
#[tokio::test]
async fn a_client_that_goes_on_sending_still_gets_the_refusal() {
    let world = World::on(On::Sqlite).await.unwrap();
    let api = &world.test;
    for (request, status) in [
        (format!("{}{}", header(api, "content-length: 6000000\r\n"), " ".repeat(6_000_000)), "413"),
        (header(api, &format!("x: {}\r\n", "y".repeat(2_000_000))), "431"),
        (header(api, &"x: y\r\n".repeat(200_000)), "431"),
    ] {
        let mut stream = connect(api, &request).await;
        // All of it was taken, and only then the answer is looked for.
        stream.flush().await.unwrap();
        let answer = rest(stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer:.100}");
    }
}

/// The same with clients that people use, if they are on this machine (in CI they are): both send all before
/// they read.
#[tokio::test(flavor = "multi_thread")]
async fn node_and_python_read_the_refusal_of_a_body_that_is_too_large() {
    const NODE: &str = "
        const [url, header, body, authorization] = process.argv.slice(1);
        const headers = { authorization, 'content-type': 'application/json', x: 'y'.repeat(+header) };
        const request = require('http').request(url, { method: 'POST', headers, maxHeaderSize: 1 << 20 });
        request.on('response', answer => { console.log(answer.statusCode); process.exit(0); });
        request.on('error', error => { console.log(error.code); process.exit(0); });
        request.end(' '.repeat(+body));";
    const PYTHON: &str = "
import sys, http.client
url, header, body, authorization = sys.argv[1:]
connection = http.client.HTTPConnection(url.split('/')[2])
headers = {'authorization': authorization, 'content-type': 'application/json', 'x': 'y' * int(header)}
try:
    connection.request('POST', '/graphql', ' ' * int(body), headers)
    print(connection.getresponse().status)
except OSError as error:
    print(repr(error))";
    let world = World::on(On::Sqlite).await.unwrap();
    let (url, authorization) = (world.test.at("/graphql"), world.test.authorization());
    for (program, option, script) in [("node", "-e", NODE), ("python3", "-c", PYTHON)] {
        for (header, body, status) in [("1", "6000000", "413"), ("33000", "2", "431"), ("200000", "2", "431")]
        {
            let mut command = Command::new(program);
            command.args([option, script, &url, header, body, &authorization]);
            let output = match tokio::task::block_in_place(|| command.output()) {
                Ok(output) => output,
                Err(_) if std::env::var_os("CI").is_none() => continue,
                Err(error) => panic!("{program}: {error}"),
            };
            assert_eq!(
                String::from_utf8_lossy(&output.stdout).trim(),
                status,
                "{program} {header} {output:?}"
            );
        }
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
