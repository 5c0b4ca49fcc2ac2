//! Receivers that misbehave: each is an outcome with a reason, in time, and
//! harms nobody else (W1, W6, X3).

use std::time::Duration;

use receiver::{Answer, Receiver};
use rstest::rstest;
use serde_json::{Value, json};

use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// The attempt at a receiver that answers like this.
async fn attempt_at(world: &World, answer: Answer) -> Value {
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [answer]);
    let event = world.live.publish(ISSUED).await;
    world.settle().await;
    let mut attempts = world.live.attempts(&event).await;
    assert_eq!(attempts.len(), 1);
    attempts.remove(0)
}

fn outcome(attempt: &Value) -> (&str, Option<i64>, Option<&str>) {
    let code = attempt["response"]["httpStatusCode"].as_i64();
    (attempt["deliveryAttemptStatus"].as_str().unwrap(), code, attempt["failureReason"].as_str())
}

#[rstest]
#[tokio::test]
async fn only_a_2xx_is_success_and_redirects_are_not_followed(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = Answer::Redirect(world.receiver.uri("/elsewhere"));
    let attempt = attempt_at(&world, target).await;
    assert_eq!(outcome(&attempt), ("FAILURE", Some(302), Some("STATUS")));
    assert_eq!(world.receiver.count("/elsewhere"), 0);
    for (status, end) in
        [(200, "SUCCESS"), (299, "SUCCESS"), (304, "FAILURE"), (404, "FAILURE"), (410, "FAILURE")]
    {
        world.receiver.script("/hook", [Answer::Status(status)]);
        let event = world.live.publish(ISSUED).await;
        world.settle().await;
        assert_eq!(world.live.attempt_statuses(&event).await, [end], "{status}");
    }
}

#[rstest]
#[tokio::test]
async fn the_answer_is_kept_but_only_its_beginning(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let text = format!("{}\u{0}é", "no such account ".repeat(100));
    let attempt = attempt_at(&world, Answer::body(422, text)).await;
    assert_eq!(outcome(&attempt), ("FAILURE", Some(422), Some("STATUS")));
    let excerpt = attempt["responseExcerpt"].as_str().unwrap();
    assert!(excerpt.starts_with("no such account") && excerpt.chars().count() == 1_024, "{excerpt}");
    assert!(attempt["durationMs"].is_i64());
}

#[rstest]
#[tokio::test]
async fn ten_megabytes_are_not_read_to_their_end(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let attempt = attempt_at(&world, Answer::Huge(10 * 1_024 * 1_024)).await;
    assert_eq!(outcome(&attempt), ("SUCCESS", Some(200), None));
}

#[rstest]
#[tokio::test]
async fn receivers_that_hang_or_drip_run_into_the_deadline(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(mut world) = World::on(on).await else { return };
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    // Within the longer one a head comes for certain; its body never ends.
    for (answer, deadline, code) in
        [(Answer::Hang, 800, None), (Answer::DripHeaders, 800, None), (Answer::Drip, 4_000, Some(200))]
    {
        world =
            world.restart_with(|settings| settings.outbound.deadline = Duration::from_millis(deadline)).await;
        world.receiver.script("/hook", [answer]);
        let event = world.live.publish(ISSUED).await;
        world.settle().await;
        let attempt = world.live.attempts(&event).await.remove(0);
        assert_eq!(outcome(&attempt), ("FAILURE", code, Some("TIMEOUT")));
        assert_eq!(attempt["response"].is_null(), code.is_none());
    }
}

#[rstest]
#[tokio::test]
async fn cut_connections_are_failures(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let attempt = attempt_at(&world, Answer::Close).await;
    assert_eq!(outcome(&attempt), ("FAILURE", None, Some("PROTOCOL")));
    for (answer, code) in [(Answer::Reset, None), (Answer::CutOff, Some(200))] {
        world.receiver.script("/hook", [answer]);
        let event = world.live.publish(ISSUED).await;
        world.settle().await;
        let attempt = world.live.attempts(&event).await.remove(0);
        assert_eq!(outcome(&attempt), ("FAILURE", code, Some("PROTOCOL")));
    }
}

#[rstest]
#[tokio::test]
async fn hosts_that_cannot_be_reached_tell_why(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, |settings| settings.outbound.uris.http = true).await else { return };
    let stranger = Receiver::start(&receiver::Authority::new()).await.unwrap();
    let plain = Receiver::start_plain().await.unwrap();
    let closed = {
        let gone = Receiver::start_plain().await.unwrap();
        gone.uri("/hook")
    };
    let cases = [
        (stranger.uri("/hook"), "TLS"),
        (plain.uri("/hook").replace("http:", "https:"), "TLS"),
        (closed, "CONNECT"),
        ("https://no-such-host.reprise.example/".to_owned(), "DNS"),
    ];
    for (uri, reason) in cases {
        let target = world.live.add_target(&uri, &[]).await;
        world.settle().await;
        let fields =
            "... on WebhookNotificationTarget { deliveryAttempts { edges { node { failureReason } } } }";
        let attempts = world::api::nodes(&world.live.node(&target, fields).await["deliveryAttempts"]);
        assert_eq!(attempts, [json!({ "failureReason": reason })], "{uri}");
    }
}

#[rstest]
#[tokio::test]
async fn a_target_on_a_private_address_is_not_sent_to(#[values(On::Sqlite, On::Postgres)] on: On) {
    // It was added while that was allowed; afterwards the server was started without the switch.
    let Some(mut world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    world = world.restart_with(|settings| settings.outbound.uris.private = false).await;
    let event = world.live.publish(ISSUED).await;
    world.settle().await;
    let attempt = world.live.attempts(&event).await.remove(0);
    assert_eq!(outcome(&attempt), ("FAILURE", None, Some("BLOCKED_ADDRESS")));
    assert_eq!(world.receiver.count("/hook"), 1);
    assert_eq!(world.live.status(&target).await, "ACTIVE");
}

#[rstest]
#[tokio::test]
async fn targets_that_hang_do_not_hold_up_another(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, |settings| settings.outbound.concurrency = 64).await else { return };
    for number in 0..20 {
        world.active_target(&world.live, &format!("/hangs/{number}"), &[ISSUED]).await;
        world.receiver.script(&format!("/hangs/{number}"), [Answer::Hang]);
    }
    world.live.publish_many(ISSUED, 50).await;
    world.active_target_while_busy(&world.live, "/healthy", &["PAYMENT_CARD_CLOSED"]).await;
    world.live.publish("PAYMENT_CARD_CLOSED").await;
    // Both come while every other target still hangs: none of their requests has ended.
    world.receiver.next("/healthy").await;
    world.receiver.next("/healthy").await;
}
