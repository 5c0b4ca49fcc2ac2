//! What callers may ask for and how long they are waited for (G12), and that nobody who asks for
//! too much keeps others out.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use reprise::app::Settings;
use reprise::app::door::{Door, FailedLogins, Patience, Rate};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const PING: &str = "{ ping }";
const WINDOW: Duration = Duration::from_secs(10);

/// The limits of the contract.
fn limited(settings: &mut Settings) {
    settings.door = Door::default();
}

fn rate_limit(body: &Value) -> &Value {
    &body["extensions"]["rateLimit"]
}

#[rstest]
#[tokio::test]
async fn an_organization_has_so_many_requests_in_ten_seconds(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, limited).await else { return };
    let (_, their_live) = world.stranger().await;
    for (api, requests, used) in [(&world.test, 100, 1), (&world.live, 200, 0), (&their_live, 200, 0)] {
        for request in used + 1..=requests {
            let answer = api.ask(PING, json!({})).await;
            assert_eq!(answer.status, 200);
            let count = json!({ "limit": requests, "remaining": requests - request });
            assert_eq!(rate_limit(&answer.body)["count"], count);
        }
        let refused = api.ask(PING, json!({})).await;
        assert_eq!((refused.status, &refused.body["data"]), (429, &Value::Null));
        assert_eq!(refused.body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
        let told = rate_limit(&refused.body);
        assert_eq!(
            (&told["limit"], &told["remaining"], &told["retryAfter"]),
            (&json!(requests), &json!(0), &json!(10))
        );
        assert_eq!(told["cost"], Value::Null);
    }
    world.hand.advance(WINDOW);
    world.test.ok(PING, json!({})).await;
}

#[tokio::test]
async fn an_organization_has_so_many_points_in_ten_seconds() {
    let world = World::with(On::Sqlite, limited).await.unwrap();
    let costly =
        "{ notificationEvents(first: 200) { edges { node { id node { __typename } organization: __typename
        deliveryAttempts(first: 1) { pageInfo { endCursor } } } } } }";
    let first = world.test.ask(costly, json!({})).await;
    let cost = rate_limit(&first.body)["cost"].as_u64().unwrap();
    assert!((200..=2_500).contains(&cost), "{cost}");
    let mut left = 2_500 - cost;
    world.hand.advance(Duration::from_millis(2_500));
    while left >= cost {
        left -= cost;
        let answer = world.test.ask(costly, json!({})).await;
        assert_eq!(rate_limit(&answer.body)["complexity"], json!({ "limit": 2_500, "remaining": left }));
    }
    let refused = world.test.ask(costly, json!({})).await;
    assert_eq!(refused.status, 429);
    let told = rate_limit(&refused.body);
    assert_eq!(
        (&told["limit"], &told["remaining"], &told["retryAfter"]),
        (&json!(2_500), &json!(left), &json!(8))
    );
    // What is cheap still goes.
    world.test.ok(PING, json!({})).await;
    world.live.ok(costly, json!({})).await;
    world.hand.advance(Duration::from_millis(7_500));
    world.test.ok(costly, json!({})).await;
}

#[tokio::test]
async fn what_can_never_be_paid_is_no_matter_of_waiting() {
    let world = World::with(On::Sqlite, limited).await.unwrap();
    let query = "{ notificationEvents(first: 200) { edges { node { deliveryAttempts(first: 20) { edges { node { id } } } } } } }";
    assert_eq!(world.live.ask(query, json!({})).await.status, 200);
    let (status, message, code) = world.test.error(query, json!({})).await;
    assert_eq!((status, code.as_str()), (400, "GRAPHQL_VALIDATION_FAILED"), "{message}");
    assert!(message.contains("2500"), "{message}");
}

#[tokio::test]
async fn what_is_refused_is_not_done() {
    let one = |settings: &mut Settings| settings.door.api = Some(Rate { requests: 1_000, points: 40 });
    let world = World::with(On::Sqlite, one).await.unwrap();
    let input = json!({ "input": { "secretKey": { "name": "x" } } });
    let create =
        "mutation($input: CreateSecretAPIKeyInput!) { createSecretAPIKey(input: $input) { __typename } }";
    let mut made = 0;
    while world.test.ask(create, input.clone()).await.status == 200 {
        made += 1;
    }
    assert_eq!(made, 2);
    world.hand.advance(WINDOW);
    let list = "{ organizations { apiKeys(first: 5) { edges { node { id } } } } }";
    let keys = world.test.ok(list, json!({})).await["organizations"][0]["apiKeys"]["edges"].take();
    assert_eq!(keys.as_array().unwrap().len(), 1 + made);
}

#[tokio::test]
async fn publishing_has_a_rate_of_its_own() {
    let change = |settings: &mut Settings| {
        settings.door.api = Some(Rate { requests: 2, points: 100 });
        settings.door.publishing = Some(Rate { requests: 3, points: 100 });
    };
    let world = World::with(On::Sqlite, change).await.unwrap();
    world.test.ok(PING, json!({})).await;
    assert_eq!(world.test.ask(PING, json!({})).await.status, 429);
    world.test.publish_many(ISSUED, 30).await;
    world.test.publish_many(ISSUED, 30).await;
    let event = json!({ "name": ISSUED, "node": {} });
    let publish = "mutation($e: [NotificationEventInput!]!) { publishNotificationEvents(input: { events: $e }) { __typename } }";
    let many = world.test.ask(publish, json!({ "e": vec![event.clone(); 30] })).await;
    assert_eq!(many.status, 429, "an event costs a point");
    let too_many = world.test.ask(publish, json!({ "e": vec![event; 100] })).await;
    assert_eq!(too_many.status, 429, "there are no requests left");
    // To speak of publishing is not publishing.
    world.hand.advance(WINDOW);
    let spoken = "{ ping } # publishNotificationEvents";
    world.test.ok(spoken, json!({})).await;
    assert_eq!(world.test.ask(spoken, json!({})).await.status, 429);
    let mixed = "mutation { publishNotificationEvents(input: { events: [] }) { __typename } activate: activateNotificationTarget(input: { targetId: \"x\" }) { __typename } }";
    assert_eq!(world.test.ask(mixed, json!({})).await.status, 429);
}

#[tokio::test]
async fn every_answer_to_a_caller_tells_the_rate_limit_and_none_to_a_stranger() {
    let world = World::with(On::Sqlite, limited).await.unwrap();
    for (media_type, body, status) in [
        ("application/json", r#"{"query": "{ ping }"}"#.to_owned(), 200),
        (
            "application/json",
            r#"{"query": "{ notificationEvents(first: 0) { edges { cursor } } }"}"#.to_owned(),
            200,
        ),
        ("application/json", r#"{"query": "{ nothing }"}"#.to_owned(), 400),
        ("application/json", r#"{"query": "{"}"#.to_owned(), 400),
        ("application/json", "{".to_owned(), 400),
        ("text/plain", "{}".to_owned(), 415),
        ("application/json", " ".repeat(5_000_000), 413),
    ] {
        let (answered, _, body) = post(&world.test, media_type, body).await;
        assert_eq!(answered, status);
        assert!(rate_limit(&body)["remaining"].is_u64(), "{body}");
        assert!(rate_limit(&body)["limit"].is_u64(), "{body}");
    }
    let stranger = world.test.with_key("sk_test_x").ask(PING, json!({})).await;
    assert_eq!((stranger.status, rate_limit(&stranger.body)), (401, &Value::Null));
    let free = World::on(On::Sqlite).await.unwrap();
    assert_eq!(*rate_limit(&free.test.ask(PING, json!({})).await.body), Value::Null);
}

#[tokio::test]
async fn how_long_to_wait_is_in_the_header_too() {
    let one = |settings: &mut Settings| settings.door.api = Some(Rate { requests: 1, points: 10 });
    let world = World::with(On::Sqlite, one).await.unwrap();
    let ping = || post(&world.test, "application/json", r#"{"query": "{ ping }"}"#.to_owned());
    assert_eq!(ping().await.1, None);
    world.hand.advance(Duration::from_millis(3_001));
    assert_eq!(ping().await.1.as_deref(), Some("7"));
}

/// Status, `retry-after` and body of the answer to a POST.
async fn post(api: &Api, media_type: &str, body: String) -> (u16, Option<String>, Value) {
    let request = api.client().post(api.at("/graphql")).header(AUTHORIZATION, api.authorization());
    let response = request.header(CONTENT_TYPE, media_type).body(body).send().await.unwrap();
    let wait = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, wait, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

#[rstest]
#[tokio::test]
async fn failed_logins_are_throttled_and_keys_that_were_good_are_not(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let few = |settings: &mut Settings| {
        settings.door.failed_logins = Some(FailedLogins { per_address: 3, in_all: 100 });
    };
    let Some(world) = World::with(on, few).await else { return };
    world.test.ok(PING, json!({})).await;
    let wrong = |number: usize| world.test.with_key(&format!("sk_test_{}", number.to_string().repeat(43)));
    for number in 0..3 {
        assert_eq!(wrong(number).ask(PING, json!({})).await.status, 401);
    }
    for other in [wrong(3), world.test.with_key("nonsense"), world.live.clone()] {
        let (status, _, code) = other.error(PING, json!({})).await;
        assert_eq!((status, code.as_str()), (429, "RATE_LIMITED"));
    }
    world.test.ok(PING, json!({})).await;
    world.hand.advance(Duration::from_secs(60));
    world.live.ok(PING, json!({})).await;
    assert_eq!(wrong(4).ask(PING, json!({})).await.status, 401);
}

#[tokio::test]
async fn behind_a_proxy_failed_logins_count_by_the_addresses_of_clients() {
    let few = |settings: &mut Settings| {
        settings.door.failed_logins = Some(FailedLogins { per_address: 2, in_all: 5 });
    };
    let world = World::with(On::Sqlite, few).await.unwrap();
    let wrong = world.test.with_key("sk_test_x").authorization();
    let mut answers = Vec::new();
    for client in ["1.1.1.1", "1.1.1.1", "9.9.9.9, 1.1.1.1", "2.2.2.2", "2.2.2.2", "3.3.3.3", "4.4.4.4"] {
        let request = world.test.client().post(world.test.at("/graphql")).header("x-forwarded-for", client);
        let answer = request.header(AUTHORIZATION, &wrong).body("{}").send().await.unwrap();
        answers.push(answer.status().as_u16());
    }
    assert_eq!(answers, [401, 401, 429, 401, 401, 401, 429], "2 from each, and 5 in all");
}

/// Patience that a story has time for.
fn hurried(settings: &mut Settings) {
    let short = Duration::from_millis(300);
    settings.door.patience = Patience { header: short, body: short, idle: short, write: short };
}

fn address(api: &Api) -> SocketAddr {
    api.at("").strip_prefix("http://").unwrap().parse().unwrap()
}

async fn connect(api: &Api, first: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address(api)).await.unwrap();
    stream.write_all(first.as_bytes()).await.unwrap();
    stream
}

/// The header of a request with a key.
fn header(api: &Api, more: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\n{more}\r\n",
        api.authorization()
    )
}

/// What still comes until the server closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is cut off is at its end, too.
    stream.read_to_end(&mut bytes).await.ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn who_sends_nothing_or_drips_is_sent_away() {
    let world = World::with(On::Sqlite, hurried).await.unwrap();
    let api = &world.test;
    let ping = r#"{"query": "{ ping }"}"#;
    let whole = format!("{}{ping}", header(api, &format!("content-length: {}\r\n", ping.len())));
    for (first, answered) in [
        ("", ""),
        ("POST /gra", ""),
        ("POST /graphql HTTP/1.1\r\nhost: x\r\n", ""),
        ("PRI * HTTP/2.0\r\n", ""),
        // The settings of HTTP/2, whose frame has 24 bytes.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\u{18}\u{4}"),
        (&header(api, "content-length: 100\r\n"), "HTTP/1.1 408 "),
        (&header(api, "transfer-encoding: chunked\r\n"), "HTTP/1.1 408 "),
        (&format!("{}{{", header(api, "content-length: 100\r\n")), "HTTP/1.1 408 "),
        (&whole, "HTTP/1.1 200 "),
        (&format!("{whole}POST /gra"), "HTTP/1.1 200 "),
    ] {
        let answer = rest(connect(api, first).await).await;
        assert!(
            answer.starts_with(answered) && answer.is_empty() == answered.is_empty(),
            "{first}: {answer}"
        );
    }
    let mut dripping = connect(api, "POST /graphql HTTP/1.1\r\n").await;
    while dripping.write_all(b"x: y\r\n").await.is_ok() {
        tokio::task::yield_now().await;
    }
    api.ok(PING, json!({})).await;
}

#[tokio::test]
async fn who_takes_nothing_of_the_answers_is_sent_away() {
    let world = World::with(On::Sqlite, hurried).await.unwrap();
    let query = r#"{"query": "{ __schema { types { name description fields { name description } } } }"}"#;
    let request = format!("{}{query}", header(&world.test, &format!("content-length: {}\r\n", query.len())));
    let mut stream = connect(&world.test, "").await;
    // Asked for again and again until nothing more goes through, and then until the end.
    while stream.write_all(request.as_bytes()).await.is_ok() {}
}

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
            // Who is refused may be cut off before he has sent everything.
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

/// As many connections as this machine lets one process have, up to 10,000: both ends are here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_dripping_connections_do_not_stop_a_publish() {
    reprise::server::files::raise_limit();
    let world = World::on(On::Sqlite).await.unwrap();
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let files = reprise::server::files::limit();
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
    let few = |settings: &mut Settings| settings.door.connections = 20;
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

#[rstest]
#[tokio::test]
async fn a_key_ends_everywhere_at_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, limited).await else { return };
    let other = world.second_door().await;
    let input = json!({ "secretKey": { "name": "x" } });
    let made = world.test.call("createSecretAPIKey", input, ("APIKey", "id key")).await;
    let bearer = other.with_key(made["key"].as_str().unwrap());
    bearer.ok(PING, json!({})).await;
    let input = json!({ "apiKeyId": made["id"] });
    world.test.call("revokeAPIKey", input, ("APIKey", "id")).await;
    assert_eq!(bearer.ask(PING, json!({})).await.status, 401);
}
