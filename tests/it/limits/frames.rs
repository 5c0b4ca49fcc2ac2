//! What a client can do with HTTP/2 that it should not.

use reprise::app::Settings;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{ISSUED, PING as PING_QUERY, SHORT, connect, waiting};
use world::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    block, frame,
};
use world::{Api, On, World};

/// A setting, and its number: how much of an answer may be sent unasked.
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

/// A frame as it came.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A connection that has sent the first it must.
async fn speak(api: &Api, settings: &[u8]) -> TcpStream {
    let mut stream = connect(api, "").await;
    let first = [PREFACE, &frame(SETTINGS, 0, 0, settings)].concat();
    stream.write_all(&first).await.unwrap();
    stream
}

/// Settings by which a client takes nothing of any answer.
fn nothing() -> Vec<u8> {
    [&INITIAL_WINDOW_SIZE[..], &[0; 4]].concat()
}

/// The next frame; none when the connection has ended.
async fn hear(stream: &mut TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.ok()?;
    let id = u32::from_be_bytes(head[5..].try_into().unwrap());
    Some(Frame { kind: head[3], flags: head[4], stream: id, payload })
}

/// Waits for the end of a connection.
async fn ended(mut stream: TcpStream) {
    while hear(&mut stream).await.is_some() {}
}

/// The headers of a request with a key.
fn begin(api: &Api, stream: u32, flags: u8) -> Vec<u8> {
    let authorization = api.authorization();
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "x"),
        (":path", "/graphql"),
        ("authorization", &authorization),
        ("content-type", "application/json"),
    ];
    frame(HEADERS, flags | END_HEADERS, stream, &block(&headers))
}

/// A whole request.
fn ask(api: &Api, stream: u32, query: &str) -> Vec<u8> {
    let body = json!({ "query": query }).to_string();
    [begin(api, stream, 0), frame(DATA, END_STREAM, stream, body.as_bytes())].concat()
}

/// The ids that a client gives to its requests.
fn streams(number: u32) -> impl Iterator<Item = u32> {
    (0..number).map(|request| 2 * request + 1)
}

#[tokio::test]
async fn a_request_in_frames_is_answered() {
    let world = World::on(On::Sqlite).await.unwrap();
    let mut stream = speak(&world.test, &[]).await;
    stream.write_all(&ask(&world.test, 1, PING_QUERY)).await.unwrap();
    let mut body = Vec::new();
    while let Some(frame) = hear(&mut stream).await {
        if frame.kind == DATA {
            body.extend(frame.payload);
        }
        if frame.stream == 1 && frame.flags & END_STREAM != 0 {
            break;
        }
    }
    assert!(String::from_utf8(body).unwrap().contains("pong"));
}

#[tokio::test]
async fn clients_that_reset_requests_rapidly_are_disconnected() {
    let world = World::on(On::Sqlite).await.unwrap();
    let mut stream = speak(&world.test, &[]).await;
    let cancel = |id| [begin(&world.test, id, 0), frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat();
    let all: Vec<u8> = streams(10_000).flat_map(cancel).collect();
    // The end may come before everything is said.
    stream.write_all(&all).await.ok();
    ended(stream).await;
    world.test.ok(PING_QUERY, json!({})).await;
}

#[tokio::test]
async fn concurrent_requests_beyond_the_limit_are_refused_one_by_one() {
    let world = World::on(On::Sqlite).await.unwrap();
    let mut stream = speak(&world.test, &[]).await;
    let all: Vec<u8> = streams(200).flat_map(|id| begin(&world.test, id, 0)).collect();
    stream.write_all(&all).await.unwrap();
    let mut refused = Vec::new();
    while refused.len() < 72 {
        let frame = hear(&mut stream).await.unwrap();
        if frame.kind == RST_STREAM {
            assert_eq!(frame.payload, REFUSED_STREAM);
            refused.push(frame.stream);
        }
    }
    assert!(refused.iter().all(|id| *id > 2 * 128), "{refused:?}");
    let body = frame(DATA, END_STREAM, 1, br#"{"query": "{ ping }"}"#);
    stream.write_all(&body).await.unwrap();
    while hear(&mut stream).await.unwrap().stream != 1 {}
}

#[tokio::test]
async fn headers_without_end_and_frames_that_break_rules_end_the_connection() {
    let world = World::on(On::Sqlite).await.unwrap();
    let api = &world.test;
    let begun = frame(HEADERS, 0, 1, &block(&[(":method", "POST")]));
    let long = block(&[("x", &"y".repeat(16_000))]);
    // What comes first, and what then comes again and again.
    for (first, again) in [
        (begun.clone(), frame(CONTINUATION, 0, 1, &long)),
        (begun.clone(), frame(CONTINUATION, 0, 1, &[])),
        (begin(api, 1, 0), frame(DATA, 0, 1, &[])),
        (begin(api, 1, 0), frame(DATA, 0, 1, &[b' '; 16_000])),
        (Vec::new(), frame(DATA, 0, 7, &[0])),
        (
            frame(WINDOW_UPDATE, 0, 0, &[127, 255, 255, 255]),
            frame(WINDOW_UPDATE, 0, 0, &[127, 255, 255, 255]),
        ),
        (Vec::new(), frame(DATA, 0, 1, &vec![0; 20_000])),
        (begun, begin(api, 3, 0)),
        (Vec::new(), begin(api, 2, 0)),
    ] {
        let mut stream = speak(api, &[]).await;
        stream.write_all(&first).await.unwrap();
        while stream.write_all(&again).await.is_ok() {}
        ended(stream).await;
        api.ok(PING_QUERY, json!({})).await;
    }
}

#[tokio::test]
async fn headers_that_are_too_long_are_refused_and_the_next_request_is_not() {
    let world = World::on(On::Sqlite).await.unwrap();
    let mut stream = speak(&world.test, &[]).await;
    let long = block(&[("x", &"y".repeat(15_000))]);
    let begun = frame(
        HEADERS,
        END_STREAM,
        1,
        &block(&[(":method", "POST"), (":scheme", "http"), (":path", "/graphql")]),
    );
    let rest = [
        frame(CONTINUATION, 0, 1, &long),
        frame(CONTINUATION, 0, 1, &long),
        frame(CONTINUATION, END_HEADERS, 1, &long),
    ];
    stream.write_all(&[begun, rest.concat()].concat()).await.unwrap();
    stream.write_all(&ask(&world.test, 3, PING_QUERY)).await.unwrap();
    let (mut is_refused, mut is_answered) = (false, false);
    while !(is_refused && is_answered) {
        let frame = hear(&mut stream).await.unwrap();
        is_refused |= frame.stream == 1;
        is_answered |= frame.stream == 3 && frame.kind == DATA;
        assert!(frame.stream != 1 || frame.kind != DATA, "it was not read");
    }
}

#[tokio::test]
async fn clients_that_flood_and_read_nothing_are_disconnected() {
    let world = World::with(On::Sqlite, waiting(|for_| for_.write = SHORT)).await.unwrap();
    for kind in [PING, SETTINGS] {
        let payload: &[u8] = if kind == PING { &[7; 8] } else { &[] };
        let flood = frame(kind, 0, 0, payload).repeat(1_000);
        let mut stream = speak(&world.test, &[]).await;
        while stream.write_all(&flood).await.is_ok() {}
    }
    world.test.ok(PING_QUERY, json!({})).await;
}

#[tokio::test]
async fn pings_do_not_keep_an_idle_connection_open() {
    let change = waiting(|for_| (for_.header, for_.idle) = (SHORT, SHORT));
    let world = World::with(On::Sqlite, change).await.unwrap();
    for query in [None, Some(PING_QUERY)] {
        let mut stream = speak(&world.test, &[]).await;
        if let Some(query) = query {
            stream.write_all(&ask(&world.test, 1, query)).await.unwrap();
        }
        ping_until_hung_up_on(stream).await;
    }
}

/// Ends only when the server closes the connection: a story that uses it would hang otherwise.
async fn ping_until_hung_up_on(stream: TcpStream) {
    let (mut reading, mut writing) = stream.into_split();
    let pinging = async {
        while writing.write_all(&frame(PING, 0, 0, &[7; 8])).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let mut answers = Vec::new();
    let ((), read) = tokio::join!(pinging, reading.read_to_end(&mut answers));
    read.ok();
}

#[tokio::test]
async fn clients_that_read_no_answer_are_disconnected_despite_pings() {
    let world = World::with(On::Sqlite, waiting(|for_| for_.write = SHORT)).await.unwrap();
    let mut stream = speak(&world.test, &nothing()).await;
    stream.write_all(&ask(&world.test, 1, PING_QUERY)).await.unwrap();
    ping_until_hung_up_on(stream).await;
}

#[tokio::test]
async fn answers_that_are_not_taken_count_until_they_are_given_up() {
    let little = |settings: &mut Settings| settings.limits.memory = 4 * 1_024 * 1_024;
    let world = World::with(On::Sqlite, little).await.unwrap();
    let (greedy, _) = world.stranger().await;
    publish_long(&greedy).await;
    let mut stream = speak(&greedy, &nothing()).await;
    for id in streams(100) {
        stream.write_all(&ask(&greedy, id, LONG)).await.unwrap();
    }
    while greedy.ask(LONG, json!({})).await.status != 429 {}
    world.test.ok(PING_QUERY, json!({})).await;
    drop(stream);
    while greedy.ask(PING_QUERY, json!({})).await.status != 200 {}
}

/// An answer of 100 KB.
const LONG: &str = "{ notificationEvents(first: 1) { edges { node { node { ... on GenericNotificationEvent { payload } } } } } }";

async fn publish_long(api: &Api) {
    let events = json!({ "events": [{ "name": ISSUED, "node": { "text": "x".repeat(100_000) } }] });
    api.call("publishNotificationEvents", events, ("PublishedNotificationEvents", "events { id }")).await;
}

#[tokio::test]
async fn readers_beyond_their_memory_are_refused_at_once_and_publishing_goes_on() {
    let little = |settings: &mut Settings| settings.limits.memory = 4 * 1_024 * 1_024;
    let world = World::with(On::Sqlite, little).await.unwrap();
    let (modest, _) = world.stranger().await;
    publish_long(&modest).await;
    let mut greedy = Vec::new();
    for _ in 0..2 {
        let (stranger, _) = world.stranger().await;
        publish_long(&stranger).await;
        let mut stream = speak(&stranger, &nothing()).await;
        for id in streams(100) {
            stream.write_all(&ask(&stranger, id, LONG)).await.unwrap();
        }
        greedy.push(stream);
    }
    let refused = loop {
        let answer = modest.ask(LONG, json!({})).await;
        if answer.status == 503 {
            break answer.body;
        }
    };
    assert_eq!(refused["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE");
    world.live.publish(ISSUED).await;
    drop(greedy);
    while modest.ask(LONG, json!({})).await.status != 200 {}
}
