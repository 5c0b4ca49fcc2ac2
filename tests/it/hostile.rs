//! Receivers and texts that mean harm: each ends in time and with its reason, takes
//! no more than its due, and harms nobody else (W1, W6, X3).

mod connections;
mod early;
mod http1;
mod http2;
mod inside;
mod texts;
mod tls;

use std::time::Duration;

use receiver::{Act, Rogue};
use serde_json::Value;

use world::api::nodes;
use world::{World, authority};

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

/// A deadline for receivers that say nothing until then.
const SHORT: Duration = Duration::from_millis(800);

/// The world goes on with a short deadline: nothing that has to succeed may come after that.
async fn in_a_hurry(world: World) -> World {
    world.restart_with(|settings| settings.outbound.deadline = SHORT).await
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
