//! Rotating signing keys (K1–K4, W5).

use std::time::Duration;

use reprise::rules::signature;
use rstest::rstest;
use serde_json::json;

use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const DAY: Duration = Duration::from_secs(86_400);

/// Publishes, and answers which of the secrets have signed what arrived, in the order of the header.
async fn signers(world: &World, target_path: &str, secrets: &[String]) -> Vec<usize> {
    world.live.publish(ISSUED).await;
    world.settle().await;
    let received = world.receiver.received(target_path).pop().unwrap();
    let header = received.header("highnote-signature").unwrap();
    let signer =
        |one: &str| secrets.iter().position(|secret| signature::is_valid(one, &received.body, secret));
    header.split(',').map(|one| signer(one).expect("a signature of nobody")).collect()
}

#[rstest]
#[tokio::test]
async fn rotating_keeps_the_old_key_valid_for_a_day(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let old = world.live.secrets(&target).await;
    assert_eq!(old.len(), 1);
    assert_eq!(old[0].len(), 43);
    world.live.on_target("rotateNotificationTargetSigningKey", &target).await;
    let both = world.live.secrets(&target).await;
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], old[0]);
    assert_eq!(signers(&world, "/hook", &both).await, [0, 1]);

    world.pass(DAY - Duration::from_millis(1)).await;
    assert_eq!(signers(&world, "/hook", &both).await, [0, 1]);
    world.pass(Duration::from_millis(1)).await;
    assert_eq!(signers(&world, "/hook", &both).await, [0]);
    assert_eq!(world.live.secrets(&target).await, both[..1]);
}

#[rstest]
#[tokio::test]
async fn five_keys_may_live_and_the_sixth_has_to_wait(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    for _ in 0..4 {
        world.live.on_target("rotateNotificationTargetSigningKey", &target).await;
        world.pass(Duration::from_secs(3_600)).await;
    }
    let five = world.live.secrets(&target).await;
    assert_eq!(five.len(), 5);
    assert_eq!(signers(&world, "/hook", &five).await, [0, 1, 2, 3, 4]);
    let input = json!({ "targetId": target });
    let refused = world.live.codes("rotateNotificationTargetSigningKey", input.clone()).await;
    assert_eq!(refused, [("LIMIT_EXCEEDED".to_owned(), "input.targetId".to_owned())]);
    assert_eq!(world.live.secrets(&target).await, five);

    // The first rotation was four hours ago: its old key ends 20 hours from now.
    world.pass(Duration::from_secs(20 * 3_600)).await;
    world.live.on_target("rotateNotificationTargetSigningKey", &target).await;
    assert_eq!(world.live.secrets(&target).await[1..], five[..4]);
}

#[rstest]
#[tokio::test]
async fn a_key_tells_when_it_ends_and_is_a_node_until_then(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[]).await;
    world.live.on_target("rotateNotificationTargetSigningKey", &target).await;
    let fields = "... on WebhookNotificationTarget { signingKeys { id createdAt expiresAt } }";
    let keys = world.live.node(&target, fields).await["signingKeys"].take();
    assert_eq!(keys[0]["expiresAt"], json!(null));
    assert_eq!(keys[1]["expiresAt"], json!((world.clock.shows() + DAY).to_string()));
    let old = keys[1]["id"].as_str().unwrap();
    assert_eq!(world.live.node(old, "").await["__typename"], "SigningKey");
    world.pass(DAY).await;
    assert_eq!(world.live.node(old, "").await, json!(null));
}
