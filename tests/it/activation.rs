//! How a target becomes active (T3–T5, W7).

use std::time::Duration;

use receiver::Answer;
use rstest::rstest;
use serde_json::json;

use world::api::codes;
use world::{On, World};

const TEN_SECONDS: Duration = Duration::from_secs(10);

#[rstest]
#[tokio::test]
async fn a_new_target_is_sent_an_activation_and_becomes_active_by_its_2xx(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    world.receiver.script("/hook", [Answer::Status(204)]);
    let added = world
        .test
        .target(
            "addWebhookNotificationTarget",
            json!({ "name": "Ledger", "uri": world.receiver.uri("/hook"), "subscriptions": ["PAYMENT_CARD_ISSUED"] }),
        )
        .await;
    assert_eq!(added["status"], "PENDING_VERIFICATION");
    assert_eq!(added["subscriptions"], json!(["PAYMENT_CARD_ISSUED"]));

    world.settle().await;
    let id = added["id"].as_str().unwrap();
    assert_eq!(world.test.status(id).await, "ACTIVE");
    assert_eq!(world.test.history(id).await, ["PENDING_VERIFICATION", "ACTIVE"]);
    let received = world.receiver.received("/hook");
    assert_eq!(received.len(), 1);
    let body: serde_json::Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(body["data"]["node"]["name"], "NOTIFICATION_ACTIVATION");
    assert_eq!(
        body["data"]["node"]["node"],
        json!({ "__typename": "NotificationTargetActivationEvent", "ping": "pong" })
    );
}

#[rstest]
#[tokio::test]
async fn three_failures_leave_it_pending_until_it_is_activated_by_hand(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    world.receiver.script("/hook", [Answer::Status(500)]);
    let id = world.live.add_target(&world.receiver.uri("/hook"), &[]).await;
    world.settle().await;
    for attempts in 2..=3 {
        world.pass(TEN_SECONDS - Duration::from_millis(1)).await;
        assert_eq!(world.receiver.count("/hook"), attempts - 1, "too early");
        world.pass(Duration::from_millis(1)).await;
        assert_eq!(world.receiver.count("/hook"), attempts);
    }
    world.pass(Duration::from_secs(86_400)).await;
    assert_eq!(world.receiver.count("/hook"), 3);
    assert_eq!(world.live.status(&id).await, "PENDING_VERIFICATION");
    assert_eq!(world.live.history(&id).await, ["PENDING_VERIFICATION"]);

    world.receiver.script("/hook", [Answer::Status(500), Answer::Status(200)]);
    let answer = world.live.on_target("activateNotificationTarget", &id).await;
    assert_eq!(answer["status"], "PENDING_VERIFICATION");
    world.settle().await;
    world.pass(TEN_SECONDS).await;
    assert_eq!(world.live.status(&id).await, "ACTIVE");
}

#[rstest]
#[tokio::test]
async fn a_target_that_was_active_before_shows_that_its_activation_failed(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let id = world.active_target(&world.test, "/hook", &[]).await;
    world.test.on_target("deactivateNotificationTarget", &id).await;
    world.receiver.script("/hook", [Answer::Status(503)]);
    let answer = world.test.on_target("activateNotificationTarget", &id).await;
    assert_eq!(answer["status"], "PENDING_VERIFICATION");
    world.settle().await;
    world.pass(TEN_SECONDS).await;
    world.pass(TEN_SECONDS).await;
    assert_eq!(world.test.status(&id).await, "ACTIVATION_FAILED");

    world.receiver.script("/hook", [Answer::Status(200)]);
    world.test.on_target("activateNotificationTarget", &id).await;
    world.settle().await;
    let path = [
        "PENDING_VERIFICATION",
        "ACTIVE",
        "DEACTIVATED",
        "PENDING_VERIFICATION",
        "ACTIVATION_FAILED",
        "PENDING_VERIFICATION",
        "ACTIVE",
    ];
    assert_eq!(world.test.history(&id).await, path);
}

#[rstest]
#[tokio::test]
async fn a_new_activation_takes_the_place_of_the_one_before(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.receiver.script("/hook", [Answer::Status(500)]);
    let id = world.test.add_target(&world.receiver.uri("/hook"), &[]).await;
    world.settle().await;
    world.test.on_target("activateNotificationTarget", &id).await;
    world.settle().await;
    for _ in 0..5 {
        world.pass(TEN_SECONDS).await;
    }
    assert_eq!(world.receiver.count("/hook"), 1 + 3);
    assert_eq!(world.test.status(&id).await, "PENDING_VERIFICATION");
}

#[rstest]
#[tokio::test]
async fn activating_an_active_target_changes_nothing(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let id = world.active_target(&world.test, "/hook", &[]).await;
    let answer = world.test.on_target("activateNotificationTarget", &id).await;
    assert_eq!(answer["status"], "ACTIVE");
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 1);
    assert_eq!(world.test.history(&id).await, ["PENDING_VERIFICATION", "ACTIVE"]);
}

#[rstest]
#[tokio::test]
async fn activations_per_hour_are_limited_across_replicas(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, |settings| settings.activations = Some(4)).await else { return };
    let ten_minutes = Duration::from_secs(600);
    let add = json!({ "name": "One more", "uri": world.receiver.uri("/hook"), "subscriptions": [] });
    let refused = |path: &str| [("LIMIT_EXCEEDED".to_owned(), path.to_owned())];
    let active = world.active_target(&world.test, "/hook", &[]).await;
    world.test.on_target("removeNotificationTarget", &active).await;
    world.clock.advance(ten_minutes);
    let active = world.active_target(&world.test, "/hook", &[]).await;
    world.receiver.script("/never", [Answer::Status(500)]);
    let pending = world.test.add_target(&world.receiver.uri("/never"), &[]).await;
    world.second_api().await.on_target("activateNotificationTarget", &pending).await;

    // That was the fourth. Another server knows of it, and so does this one after a restart.
    let world = world.restart().await;
    for api in [&world.test, &world.second_api().await] {
        let payload = api.target("addWebhookNotificationTarget", add.clone()).await;
        assert_eq!(codes(&payload), refused("input"));
        let again = (world.clock.shows() + ten_minutes * 5).to_string();
        assert!(payload["errors"][0]["description"].as_str().unwrap().contains(&again), "{payload}");
    }
    let activate = json!({ "targetId": pending });
    let codes = world.test.codes("activateNotificationTarget", activate.clone()).await;
    assert_eq!(codes, refused("input.targetId"));
    assert_eq!(world.test.on_target("activateNotificationTarget", &active).await["status"], "ACTIVE");
    world.live.add_target(&world.receiver.uri("/hook"), &[]).await;

    // The first of them counts until its hour has passed, and not a millisecond longer.
    world.clock.advance(ten_minutes * 5 - Duration::from_millis(1));
    assert_eq!(world.test.codes("activateNotificationTarget", activate.clone()).await.len(), 1);
    world.clock.advance(Duration::from_millis(1));
    world.test.on_target("activateNotificationTarget", &pending).await;
    assert_eq!(world.test.codes("activateNotificationTarget", activate).await.len(), 1);
}
