//! Receivers whose HTTP/2 is wrong, or without end.

use std::time::Duration;

use receiver::{Act, Answer, Certificate, Protocols, Receiver, Rogue};
use rstest::rstest;

use super::{ISSUED, MOST, SHORT, attempt, failure, first_contact, outcome, success};
use world::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PUSH_PROMISE, RST_STREAM, SETTINGS,
    block, frame,
};
use world::{On, World, authority};

#[rstest]
#[tokio::test]
async fn headers_and_bodies_over_http_2_are_bounded_too(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let receiver = Receiver::start_as(authority(), Certificate::Valid, Protocols::Http2).await.unwrap();
    let target = world.live.add_target(&receiver.uri("/hook"), &[ISSUED]).await;
    world.settle().await;
    assert_eq!(world.live.status(&target).await, "ACTIVE");
    for (answer, end) in [
        (Answer::Headers(100), success()),
        (Answer::Headers(10_000), failure(None, "PROTOCOL")),
        (Answer::Huge(10 * 1_024 * 1_024 * 1_024), success()),
    ] {
        receiver.script("/hook", [answer.clone()]);
        assert_eq!(outcome(&attempt(&world).await), end, "{answer:?}");
    }
}

/// A deadline until which the head of an answer comes for certain.
const HEAD: Duration = Duration::from_secs(4);

/// The headers of an answer to the first request of a connection.
fn headers(status: &str, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, 1, &block(&[(":status", status)]))
}

#[rstest]
#[tokio::test]
async fn frames_that_break_rules_or_never_end_are_failures_in_time(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let with_deadline = |deadline| World::with(on, move |settings| settings.outbound.deadline = deadline);
    // Until the latter the head of an answer comes, however slow the machine is.
    let (hasty, patient) = (with_deadline(SHORT).await.unwrap(), with_deadline(HEAD).await.unwrap());
    let settings = frame(SETTINGS, 0, 0, &[]);
    let (ok, broken) = (|| headers("200", 0), failure(None, "PROTOCOL"));
    let begun = frame(HEADERS, 0, 1, &block(&[(":status", "200")]));
    let long = block(&[("x", &"y".repeat(16_000))]);
    let cases = [
        ("an answer", headers("200", END_STREAM), Vec::new(), success()),
        ("silence", Vec::new(), Vec::new(), failure(None, "TIMEOUT")),
        ("a body without end", ok(), Vec::new(), failure(200, "TIMEOUT")),
        ("hints", Vec::new(), headers("103", 0).repeat(100), failure(None, "TIMEOUT")),
        ("pings", Vec::new(), frame(PING, 0, 0, &[7; 8]).repeat(100), failure(None, "TIMEOUT")),
        ("settings", Vec::new(), settings.repeat(100), failure(None, "TIMEOUT")),
        ("continuations", begun.clone(), frame(CONTINUATION, 0, 1, &long), broken.clone()),
        ("empty continuations", begun, frame(CONTINUATION, 0, 1, &[]).repeat(100), broken.clone()),
        ("empty data", ok(), frame(DATA, 0, 1, &[]).repeat(100), failure(200, "PROTOCOL")),
        (
            "half an answer",
            [ok(), frame(RST_STREAM, 0, 1, &[0, 0, 0, 2])].concat(),
            Vec::new(),
            failure(200, "PROTOCOL"),
        ),
        ("a reset", frame(RST_STREAM, 0, 1, &[0, 0, 0, 2]), Vec::new(), broken.clone()),
        // It may still answer what it has not disowned, and does not.
        ("farewell", frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 2]), Vec::new(), failure(None, "TIMEOUT")),
        ("farewell unread", frame(GOAWAY, 0, 0, &[0; 8]), Vec::new(), broken.clone()),
        ("a promise", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), Vec::new(), broken.clone()),
        ("no status", frame(HEADERS, END_HEADERS | END_STREAM, 1, &[]), Vec::new(), broken.clone()),
        (
            "another stream",
            frame(HEADERS, END_HEADERS, 2, &block(&[(":status", "200")])),
            Vec::new(),
            broken.clone(),
        ),
        ("not HTTP/2", b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Vec::new(), broken),
    ];
    for (name, first, again, end) in cases {
        let first = [settings.clone(), first].concat();
        let act = if again.is_empty() { Act::say(first) } else { Act::flood(first, again) };
        let rogue = Rogue::start_http2(authority(), [act]).await.unwrap();
        let world = match &end {
            // What it certainly has not read is sent again until the deadline.
            _ if name == "farewell unread" => &patient,
            (_, None, Some(reason)) if reason == "TIMEOUT" => &hasty,
            (_, Some(_), Some(reason)) if reason == "TIMEOUT" => &patient,
            _ => &world,
        };
        assert_eq!(first_contact(world, &rogue.uri("/hook")).await, end, "{name}");
        assert!(end == failure(None, "TIMEOUT") || rogue.sent() < MOST, "{name}: {}", rogue.sent());
    }
}
