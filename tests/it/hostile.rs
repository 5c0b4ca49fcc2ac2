//! Receivers and texts that mean harm: each ends in time and with its reason, takes
//! no more than its due, and harms nobody else (W1, W6, X3).

use std::time::Duration;

use receiver::{Act, Answer, Certificate, Protocols, Receiver, Rogue};
use reprise::app::Settings;
use reprise::app::settings::Smtp;
use reprise::rules::uri::Policy;
use rstest::rstest;
use serde_json::{Value, json};

use crate::world::api::{codes, nodes};
use crate::world::mailbox::Mailbox;
use crate::world::{On, World, authority};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const CLOSED: &str = "PAYMENT_CARD_CLOSED";

/// What one receiver may have got rid of, at most: our bounds and the buffers of two sockets.
const MOST: u64 = 32 * 1_024 * 1_024;

/// How an attempt ended: status, HTTP status, reason.
type Outcome = (String, Option<i64>, Option<String>);

fn outcome(attempt: &Value) -> Outcome {
    let reason = attempt["failureReason"].as_str().map(str::to_owned);
    let status = attempt["deliveryAttemptStatus"].as_str().unwrap().to_owned();
    (status, attempt["response"]["httpStatusCode"].as_i64(), reason)
}

fn failure(code: impl Into<Option<i64>>, reason: &str) -> Outcome {
    ("FAILURE".to_owned(), code.into(), Some(reason.to_owned()))
}

fn success() -> Outcome {
    ("SUCCESS".to_owned(), Some(200), None)
}

/// A world whose deadline is short, for receivers that never end.
async fn hasty(on: On) -> Option<World> {
    World::with(on, |settings| settings.deadline = Duration::from_millis(800)).await
}

/// How the first attempt to activate a target of this URI ends.
async fn first_contact(world: &World, uri: &str) -> Outcome {
    let target = world.live.add_target(uri, &[]).await;
    world.settle().await;
    let fields = "... on WebhookNotificationTarget { deliveryAttempts { edges { node {
        deliveryAttemptStatus failureReason responseExcerpt response { httpStatusCode } } } } }";
    let attempts = nodes(&world.live.node(&target, fields).await["deliveryAttempts"]);
    assert_eq!(attempts.len(), 1, "{uri}");
    outcome(&attempts[0])
}

/// The one attempt to deliver a new event.
async fn attempt(world: &World) -> Value {
    let event = world.live.publish(ISSUED).await;
    world.settle().await;
    let mut attempts = world.live.attempts(&event).await;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    attempts.remove(0)
}

/// A rogue whose target is active, and which then keeps to this script.
async fn active_rogue(world: &World, script: impl IntoIterator<Item = Act>) -> Rogue {
    let rogue = Rogue::start(authority(), [Act::ok()]).await.unwrap();
    let target = world.live.add_target(&rogue.uri("/hook"), &[ISSUED]).await;
    world.settle().await;
    assert_eq!(world.live.status(&target).await, "ACTIVE");
    rogue.script(script);
    rogue
}

fn head(rest: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{rest}")
}

#[rstest]
#[tokio::test]
async fn certificates_must_be_valid_now_and_for_the_name(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    for (certificate, end) in [
        (Certificate::Valid, success()),
        (Certificate::Expired, failure(None, "TLS")),
        (Certificate::Premature, failure(None, "TLS")),
        (Certificate::Misnamed, failure(None, "TLS")),
    ] {
        let receiver = Receiver::start_as(authority(), certificate, Protocols::Both).await.unwrap();
        assert_eq!(first_contact(&world, &receiver.uri("/hook")).await, end, "{certificate:?}");
        assert_eq!(receiver.count("/hook"), usize::from(end == success()), "{certificate:?}");
    }
}

#[rstest]
#[tokio::test]
async fn what_is_not_tls_1_2_or_later_is_refused(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = hasty(on).await else { return };
    // What a server that knows TLS 1.1 at best answers to a greeting: its hello, or an alert.
    let hello = [&[22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2][..], &[7; 32], &[0, 0, 47, 0]].concat();
    let alert = vec![21, 3, 1, 0, 2, 2, 70];
    for (act, end) in [
        (Act::say(hello), failure(None, "TLS")),
        (Act::say(alert), failure(None, "TLS")),
        (Act::say("SSH-2.0-OpenSSH_9.2\r\n"), failure(None, "TLS")),
        (Act::say("HTTP/1.1 400 Bad Request\r\n\r\n"), failure(None, "TLS")),
        (Act::say(""), failure(None, "TIMEOUT")),
        (Act::flood("", vec![22, 3, 3]), failure(None, "TLS")),
        (Act::SayAndClose(Vec::new().into()), failure(None, "CONNECT")),
    ] {
        let rogue = Rogue::start_bare([act.clone()]).await.unwrap();
        assert_eq!(first_contact(&world, &rogue.uri("/hook")).await, end, "{act:?}");
        rogue.ended(1).await;
    }
}

#[rstest]
#[tokio::test]
async fn either_http_will_do(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    for (protocols, version) in [(Protocols::Http1, "HTTP/1.1"), (Protocols::Http2, "HTTP/2.0")] {
        let receiver = Receiver::start_as(authority(), Certificate::Valid, protocols).await.unwrap();
        assert_eq!(first_contact(&world, &receiver.uri("/hook")).await, success());
        assert_eq!(format!("{:?}", receiver.next("/hook").await.version), version);
    }
}

#[rstest]
#[tokio::test]
async fn answers_that_are_not_http_are_failures(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = hasty(on).await else { return };
    let rogue = active_rogue(&world, []).await;
    let many = head(&"x: y\r\n".repeat(10_000)) + "\r\n";
    let long = |kilobytes: usize| {
        head(&format!("x: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(kilobytes * 1_024)))
    };
    for (name, act, end) in [
        ("not HTTP", Act::say("SSH-2.0-OpenSSH_9.2\r\n\r\n"), failure(None, "PROTOCOL")),
        ("unknown version", Act::say("HTTP/9.9 200 OK\r\n\r\n"), failure(None, "PROTOCOL")),
        ("impossible status", Act::say("HTTP/1.1 20 OK\r\n\r\n"), failure(None, "PROTOCOL")),
        ("NUL in a header", Act::say(head("x: \0\r\n\r\n")), failure(None, "PROTOCOL")),
        (
            "two lengths",
            Act::say(head("content-length: 1\r\ncontent-length: 2\r\n\r\n")),
            failure(None, "PROTOCOL"),
        ),
        ("10,000 headers", Act::say(many), failure(None, "PROTOCOL")),
        ("60 KB of headers", Act::say(long(60)), success()),
        ("100 KB of headers", Act::say(long(100)), failure(200, "PROTOCOL")),
        ("1 MB of headers", Act::say(long(1_024)), failure(None, "PROTOCOL")),
        ("no chunk", Act::say(head("transfer-encoding: chunked\r\n\r\nZZ\r\n")), failure(200, "PROTOCOL")),
        (
            "endless chunk",
            Act::say(head("transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n")),
            failure(200, "PROTOCOL"),
        ),
        (
            "chunk without end",
            Act::say(head("transfer-encoding: chunked\r\n\r\n1\r\nabc")),
            failure(200, "PROTOCOL"),
        ),
        ("half a head", Act::SayAndClose(head("content-le").into()), failure(None, "PROTOCOL")),
        (
            "half a body",
            Act::SayAndClose(head("content-length: 100\r\n\r\n0123456789").into()),
            failure(200, "PROTOCOL"),
        ),
        ("a body that ends with the connection", Act::SayAndClose(head("\r\n0123456789").into()), success()),
        ("silence", Act::say(""), failure(None, "TIMEOUT")),
        (
            "another protocol",
            Act::say("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
            failure(101, "STATUS"),
        ),
    ] {
        rogue.script([act]);
        assert_eq!(outcome(&attempt(&world).await), end, "{name}");
    }
    // It can come to itself again.
    rogue.script([Act::ok()]);
    assert_eq!(outcome(&attempt(&world).await), success());
}

#[rstest]
#[tokio::test]
async fn floods_end_in_time_and_are_not_swallowed(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = hasty(on).await else { return };
    let rogue = active_rogue(&world, []).await;
    let (chunked, kilobyte) = (head("transfer-encoding: chunked\r\n\r\n"), "y".repeat(1_024));
    let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100);
    let huge = (head("content-length: 10737418240\r\n\r\n"), kilobyte.repeat(64));
    let cases = [
        ("10 GB", Act::flood(huge.0, huge.1), success()),
        ("chunks", Act::flood(chunked.clone(), format!("400\r\n{kilobyte}\r\n")), success()),
        ("headers", Act::flood(head(""), "x: y\r\n"), failure(None, "PROTOCOL")),
        ("a header", Act::flood(head("x: "), kilobyte.clone()), failure(None, "PROTOCOL")),
        ("a reason", Act::flood("HTTP/1.1 200 ", kilobyte.clone()), failure(None, "PROTOCOL")),
        ("an extension", Act::flood(format!("{chunked}1;"), kilobyte.clone()), failure(200, "PROTOCOL")),
        ("trailers", Act::flood(format!("{chunked}0\r\n"), "x: y\r\n"), failure(200, "PROTOCOL")),
        ("line breaks", Act::flood("", "\r\n".repeat(512)), failure(None, "PROTOCOL")),
        // They are read, and thrown away, until the deadline.
        ("hints", Act::flood("", hints), failure(None, "TIMEOUT")),
    ];
    for (number, (name, act, end)) in cases.into_iter().enumerate() {
        let before = rogue.sent();
        rogue.script([act]);
        assert_eq!(outcome(&attempt(&world).await), end, "{name}");
        rogue.ended(number + 1).await;
        assert!(end == failure(None, "TIMEOUT") || rogue.sent() - before < MOST, "{name}: {}", rogue.sent());
    }
}

#[rstest]
#[tokio::test]
async fn a_gzip_bomb_stays_packed(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    // 64 KiB of `x` in 83 bytes, seven hundred times.
    let start = "1f8b0800000000000003";
    let block = "ecc101010000008090dbcdef080a".to_owned() + &"00".repeat(62) + "6a000000ffff";
    let bomb = hex::decode(start.to_owned() + &block.repeat(700)).unwrap();
    let headers =
        format!("HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    let _rogue = active_rogue(&world, [Act::say([headers.into_bytes(), bomb].concat())]).await;
    let attempt = attempt(&world).await;
    assert_eq!(outcome(&attempt), failure(500, "STATUS"));
    assert!(!attempt["responseExcerpt"].as_str().unwrap().contains("xxxx"), "{attempt}");
}

#[rstest]
#[tokio::test]
async fn headers_over_http_2_are_bounded_too(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let receiver = Receiver::start_as(authority(), Certificate::Valid, Protocols::Http2).await.unwrap();
    let target = world.live.add_target(&receiver.uri("/hook"), &[ISSUED]).await;
    world.settle().await;
    assert_eq!(world.live.status(&target).await, "ACTIVE");
    for (count, end) in [(100, success()), (10_000, failure(None, "PROTOCOL"))] {
        receiver.script("/hook", [Answer::Headers(count)]);
        assert_eq!(outcome(&attempt(&world).await), end, "{count}");
    }
}

#[rstest]
#[tokio::test]
async fn a_connection_that_was_closed_while_it_was_idle_is_not_an_attempt(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let rogue = active_rogue(&world, [Act::ok_and_close()]).await;
    for round in 1..=50 {
        assert_eq!(outcome(&attempt(&world).await), success(), "{round}");
        rogue.ended(round).await;
        assert_eq!(rogue.requests(), 1 + round);
    }
}

#[rstest]
#[tokio::test]
async fn what_may_have_been_read_is_not_sent_twice_in_one_attempt(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    // The connection is an old one, so it could have been closed before; but it was not.
    let rogue = active_rogue(&world, [Act::SayAndClose(Vec::new().into())]).await;
    assert_eq!(outcome(&attempt(&world).await), failure(None, "PROTOCOL"));
    assert_eq!(rogue.requests(), 2);
}

#[rstest]
#[tokio::test]
async fn what_was_refused_unread_is_sent_again_in_the_same_attempt(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Refuse, Answer::Status(200)]);
    assert_eq!(outcome(&attempt(&world).await), success());
    assert_eq!(world.receiver.count("/hook"), 3);
    // But not for ever.
    world.receiver.script("/hook", [Answer::Refuse]);
    assert_eq!(outcome(&attempt(&world).await), failure(None, "PROTOCOL"));
    assert_eq!(world.receiver.count("/hook"), 6);
}

#[rstest]
#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let two = format!("{}HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", head("content-length: 0\r\n\r\n"));
    let rogue = active_rogue(&world, [Act::say(two), Act::ok()]).await;
    for _ in 0..3 {
        assert_eq!(outcome(&attempt(&world).await), success());
    }
    assert_eq!(rogue.requests(), 4);
}

#[rstest]
#[tokio::test]
async fn while_all_of_them_are_at_it_another_target_is_served(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, |settings| settings.concurrency = 64).await else { return };
    let mut rogues = Vec::new();
    for act in [
        Act::say(""),
        Act::say(head("content-length: 10\r\n\r\n")),
        Act::flood("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
    ] {
        rogues.push(active_rogue(&world, [act]).await);
    }
    let mute = Rogue::start_bare([Act::say("")]).await.unwrap();
    world.live.add_target(&mute.uri("/hook"), &[]).await;
    world.live.publish_many(ISSUED, 50).await;
    world.active_target_while_busy(&world.live, "/healthy", &[CLOSED]).await;
    world.live.publish(CLOSED).await;
    // Both come while the others are still busy: none of their requests has ended.
    world.receiver.next("/healthy").await;
    world.receiver.next("/healthy").await;
}

#[rstest]
#[tokio::test]
async fn what_is_inside_is_not_dialled_and_not_told(#[values(On::Sqlite, On::Postgres)] on: On) {
    // They were added while that was allowed; afterwards the server was started without the switch.
    let Some(mut world) = World::with(on, |settings| settings.uris.http = true).await else { return };
    let plain = Receiver::start_plain().await.unwrap();
    let secure = world.receiver.uri("/hook");
    let uris = [secure.clone(), secure.replace("localhost", "127.0.0.1"), plain.uri("/hook")];
    for uri in &uris {
        world.live.add_target(uri, &[ISSUED]).await;
    }
    world.settle().await;
    assert_eq!((world.receiver.count("/hook"), plain.count("/hook")), (2, 1));
    world = world.restart_with(|settings| settings.uris = Policy::default()).await;
    let event = world.live.publish(ISSUED).await;
    world.settle().await;
    let attempts = world.live.attempts(&event).await;
    for attempt in &attempts {
        let uri = attempt["uri"].as_str().unwrap();
        let reason = if uri.starts_with("http:") { "TLS" } else { "BLOCKED_ADDRESS" };
        assert_eq!(outcome(attempt), failure(None, reason), "{uri}");
        assert_eq!(attempt["responseExcerpt"], Value::Null);
        let told = attempt.to_string().replace(uri, "");
        assert!(!told.contains("127.0.0.1") && !told.contains("::1"), "{told}");
    }
    assert_eq!((attempts.len(), world.receiver.count("/hook"), plain.count("/hook")), (3, 2, 1));
}

#[rstest]
#[tokio::test]
async fn adding_a_target_asks_no_name_server(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, |settings| settings.uris.private = false).await else { return };
    let world = world.without_engine().await;
    // It does not exist, which nobody finds out before the first attempt.
    let target = world.live.add_target("https://no-such-host.reprise-test.com/", &[]).await;
    assert_eq!(world.live.status(&target).await, "PENDING_VERIFICATION");
}

#[rstest]
#[tokio::test]
async fn names_and_uris_cannot_move_a_reader_s_cursor(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[]).await;
    for harm in [
        "\0",
        "\r\nX: y",
        "\n",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{202e}",
        "\u{2066}",
        "\u{206b}",
    ] {
        let name = format!("a{harm}b");
        let input =
            json!({ "name": name, "uri": format!("https://company.com/{harm}"), "subscriptions": [] });
        let broken = [("INVALID_NAME", "input.name"), ("INVALID_URI", "input.uri")];
        let broken = broken.map(|(code, path)| (code.to_owned(), path.to_owned()));
        assert_eq!(world.live.codes("addWebhookNotificationTarget", input).await, broken, "{harm:?}");
        let input = json!({ "targetId": target, "name": name });
        assert_eq!(world.live.codes("renameNotificationTarget", input).await, broken[..1], "{harm:?}");
        let input = json!({ "secretKey": { "name": name } });
        let refused = world.live.call("createSecretAPIKey", input, ("APIKey", "id")).await;
        assert_eq!(codes(&refused)[0].0, "INVALID_NAME", "{harm:?}");
    }
}

#[rstest]
#[tokio::test]
async fn answers_are_kept_without_what_moves_a_cursor(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let body = "\u{1b}[31mno\u{202e} such\r\n\taccount\0\u{9b}\u{7}";
    world.receiver.script("/hook", [Answer::body(500, body)]);
    assert_eq!(attempt(&world).await["responseExcerpt"], "[31mno such\n\taccount");
}

#[rstest]
#[tokio::test]
async fn a_name_stays_within_its_header_of_a_mail(#[values(On::Sqlite, On::Postgres)] on: On) {
    let mailbox = Mailbox::open();
    let smtp = Smtp { url: mailbox.url().into(), from: "Reprise <reprise@example.com>".to_owned() };
    let settings = |settings: &mut Settings| {
        settings.smtp = Some(smtp);
        settings.schedules.live.attempts = 1;
    };
    let Some(world) = World::with(on, settings).await else { return };
    let name = "=?utf-8?q?=0D=0ABcc:_b@example.com?= é\": x".to_owned() + &"long ".repeat(40);
    let uri = world.receiver.uri("/hook?%0D%0ABcc:%20b@example.com");
    let input = json!({ "name": name, "uri": uri, "subscriptions": [ISSUED], "email": "owner@example.com" });
    world.live.target("addWebhookNotificationTarget", input).await;
    world.settle().await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    world.live.publish(ISSUED).await;
    world.settle().await;
    let mails = mailbox.mails();
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    let (head, _) = mail
        .replace("\r\n", "\n")
        .split_once("\n\n")
        .map(|(head, body)| (head.to_owned(), body.to_owned()))
        .unwrap();
    let lines: Vec<_> = head.lines().filter(|line| !line.starts_with([' ', '\t'])).collect();
    let names: Vec<_> = lines.iter().map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(names[..3], ["From", "To", "Subject"], "{head}");
    let rest = ["Content-Transfer-Encoding", "Content-Type", "Date", "MIME-Version"];
    assert!(names[3..].iter().all(|name| rest.contains(name)), "{head}");
    assert!(!head.contains("=?utf-8?q?=0D"), "{head}");
    assert!(head.lines().all(|line| line.len() < 100), "{head}");
}
