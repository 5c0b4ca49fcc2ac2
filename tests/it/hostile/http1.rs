//! Receivers whose HTTP/1.1 is wrong, or without end.

use receiver::Act;
use rstest::rstest;

use super::{MOST, active_rogue, attempt, failure, head, in_a_hurry, outcome, success};
use world::{On, World};

#[rstest]
#[tokio::test]
async fn answers_that_are_not_http_are_failures(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let rogue = active_rogue(&world, []).await;
    let many = head(&"x: y\r\n".repeat(10_000)) + "\r\n";
    let long = |kilobytes: usize| {
        head(&format!("x: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(kilobytes * 1_024)))
    };
    let chunked = |rest: String| head("transfer-encoding: chunked\r\n\r\n") + &rest;
    let trailers = |kilobytes: usize| chunked(format!("0\r\nx: {}\r\n\r\n", "y".repeat(kilobytes * 1_024)));
    let extension = format!("1;x={}\r\na\r\n", "y".repeat(510));
    let extensions = |kilobytes: usize| chunked(extension.repeat(kilobytes * 2) + "0\r\n\r\n");
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
        ("500 headers", Act::say(head(&"x: y\r\n".repeat(499)) + "content-length: 0\r\n\r\n"), success()),
        (
            "501 headers",
            Act::say(head(&"x: y\r\n".repeat(500)) + "content-length: 0\r\n\r\n"),
            failure(None, "PROTOCOL"),
        ),
        (
            "500 trailers",
            Act::say(head("transfer-encoding: chunked\r\n\r\n0\r\n") + &"x: y\r\n".repeat(500) + "\r\n"),
            success(),
        ),
        ("15 KB of trailers", Act::say(trailers(15)), success()),
        ("17 KB of trailers", Act::say(trailers(17)), failure(200, "PROTOCOL")),
        ("15 KB of extensions", Act::say(extensions(15)), success()),
        ("17 KB of extensions", Act::say(extensions(17)), failure(200, "PROTOCOL")),
        ("a folded header", Act::say(head("x: a\r\n b\r\n\tc\r\ncontent-length: 0\r\n\r\n")), success()),
        ("60 KB of headers", Act::say(long(60)), success()),
        ("68 KB of headers", Act::say(long(68)), failure(200, "PROTOCOL")),
        ("100 KB of headers", Act::say(long(100)), failure(None, "PROTOCOL")),
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
    let world = in_a_hurry(world).await;
    rogue.script([Act::say("")]);
    assert_eq!(outcome(&attempt(&world).await), failure(None, "TIMEOUT"));
}

#[rstest]
#[tokio::test]
async fn a_head_that_is_too_long_is_refused_before_its_end(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let rogue = active_rogue(&world, []).await;
    let beginnings: [fn(usize) -> String; 3] = [
        |kilobytes| format!("HTTP/1.1 200 {}", "y".repeat(kilobytes * 1_024)),
        |kilobytes| head(&format!("x: {}", "y".repeat(kilobytes * 1_024))),
        |kilobytes| head(&format!("x: {}\r\n", "y".repeat(1_019)).repeat(kilobytes)),
    ];
    for beginning in beginnings {
        rogue.script([Act::say(beginning(73))]);
        assert_eq!(outcome(&attempt(&world).await), failure(None, "PROTOCOL"));
    }
    let world = in_a_hurry(world).await;
    for beginning in beginnings {
        // The rest could come until the deadline, and does not.
        rogue.script([Act::say(beginning(71))]);
        assert_eq!(outcome(&attempt(&world).await), failure(None, "TIMEOUT"));
    }
}

#[rstest]
#[tokio::test]
async fn floods_end_in_time_and_are_not_read_whole(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(mut world) = World::on(on).await else { return };
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
        if end == failure(None, "TIMEOUT") {
            world = in_a_hurry(world).await;
        }
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
