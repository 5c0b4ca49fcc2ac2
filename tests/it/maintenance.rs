//! What goes by itself: events after 30 days (D9), targets that were deactivated
//! for as long (T11).

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use world::api::nodes;
use world::{On, START, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const THIRTY_DAYS: Duration = Duration::from_secs(30 * 86_400);

#[rstest]
#[tokio::test]
async fn events_expire_after_thirty_days_with_their_attempts(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let events = world.test.publish_many(ISSUED, 450).await;
    world.settle().await;
    let attempt = world.test.attempts(&events[0]).await[0]["id"].as_str().unwrap().to_owned();
    let shown = world.test.node(&events[0], "... on NotificationEvent { expiresAt }").await;
    assert_eq!(shown["expiresAt"], json!((START + THIRTY_DAYS).to_string()));

    world.pass(THIRTY_DAYS).await;
    assert_ne!(world.test.node(&events[0], "").await, Value::Null);
    let later = world.test.publish(ISSUED).await;
    world.pass(Duration::from_millis(1)).await;
    for gone in [&events[0], &events[449], &attempt] {
        assert_eq!(world.test.node(gone, "").await, Value::Null);
    }
    let fields = "... on WebhookNotificationTarget {
        deliveryAttempts { edges { node { id } } }
        webhookNotificationTargetEvents { edges { node { event { id } } } } }";
    let left = world.test.node(&target, fields).await;
    assert_eq!(nodes(&left["deliveryAttempts"]).len(), 1);
    let left = nodes(&left["webhookNotificationTargetEvents"]);
    assert_eq!(left, [json!({ "event": { "id": later } })]);
}

#[rstest]
#[tokio::test]
async fn targets_that_stay_deactivated_for_thirty_days_are_removed(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let forgotten = world.active_target(&world.test, "/forgotten", &[]).await;
    let woken = world.active_target(&world.test, "/woken", &[]).await;
    for target in [&forgotten, &woken] {
        world.test.on_target("deactivateNotificationTarget", target).await;
    }
    world.pass(THIRTY_DAYS).await;
    assert_eq!(world.test.status(&forgotten).await, "DEACTIVATED");
    world.test.on_target("activateNotificationTarget", &woken).await;
    world.pass(Duration::from_millis(1)).await;
    assert_eq!(world.test.status(&forgotten).await, "(gone)");
    assert_eq!(world.test.status(&woken).await, "ACTIVE");
}
