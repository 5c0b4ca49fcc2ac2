//! What ends a target's deliveries: giving up (D3), deactivation by hand (D4,
//! T6), removal (T10), and the mail that tells of it.

use std::time::Duration;

use entity::delivery;
use receiver::{Answer, Gate};
use reprise::app::Settings;
use rstest::rstest;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use world::api::{id, nodes};
use world::mailbox::Mailbox;
use world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// The four attempts in TEST, with the pauses between them.
async fn exhaust(world: &World) {
    world.settle().await;
    for pause in [5, 15, 45] {
        world.pass(Duration::from_secs(pause)).await;
    }
}

/// The pause before the last of the ten attempts in LIVE.
const LAST_PAUSE: Duration = Duration::from_secs(10 * 3_u64.pow(8));

/// Nine of the ten attempts in LIVE.
async fn nearly_exhaust_live(world: &World) {
    world.settle().await;
    for failed in 0..8 {
        world.pass(Duration::from_secs(10 * 3_u64.pow(failed))).await;
    }
}

#[rstest]
#[tokio::test]
async fn many_deliveries_that_fail_together_deactivate_once_and_send_one_mail(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let mailbox = Mailbox::open();
    let settings = |settings: &mut Settings| {
        settings.smtp = Some(mailbox.smtp());
        // Wide enough for all that fail to be in flight together: what is not would be skipped.
        settings.target_concurrency = 128;
    };
    let Some(world) = World::with(on, settings).await else { return };
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let email = json!({ "targetId": target, "email": "owner@example.com" });
    world.live.target("setEmailForNotificationTarget", email).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    let failing = world.live.publish_many(ISSUED, 5).await;
    nearly_exhaust_live(&world).await;
    world.pass(LAST_PAUSE - Duration::from_secs(1)).await;
    let waiting = world.live.publish(ISSUED).await;
    world.settle().await;
    world.pass(Duration::from_secs(1)).await;

    assert_eq!(world.live.status(&target).await, "DEACTIVATED");
    assert_eq!(world.live.history(&target).await, ["PENDING_VERIFICATION", "ACTIVE", "DEACTIVATED"]);
    for event in &failing {
        assert_eq!(world.live.attempt_statuses(event).await, vec!["FAILURE"; 10]);
    }
    assert_eq!(world.live.attempt_statuses(&waiting).await, ["FAILURE", "SKIPPED"]);
    let mails = mailbox.mails();
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(mails[0].contains("To: owner@example.com"), "{}", mails[0]);
    assert!(mails[0].contains(&target), "{}", mails[0]);
}

#[rstest]
#[tokio::test]
async fn a_mail_that_the_server_refuses_is_sent_later(#[values(On::Sqlite, On::Postgres)] on: On) {
    let mailbox = Mailbox::open();
    mailbox.refuse(1);
    let Some(world) = World::with(on, |settings| settings.smtp = Some(mailbox.smtp())).await else { return };
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let email = json!({ "targetId": target, "email": "owner@example.com" });
    world.live.target("setEmailForNotificationTarget", email).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    world.live.publish(ISSUED).await;
    nearly_exhaust_live(&world).await;
    world.pass(LAST_PAUSE).await;
    assert_eq!(mailbox.mails().len(), 0);
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(mailbox.mails().len(), 1);
    world.pass(Duration::from_secs(86_400)).await;
    assert_eq!(mailbox.mails().len(), 1);
}

#[rstest]
#[tokio::test]
async fn deactivation_by_hand_skips_what_waits_and_lets_finish_what_is_in_flight(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let gate = Gate::new();
    world.receiver.script("/hook", [Answer::Status(500), Answer::Held(gate.clone())]);
    let waiting = world.test.publish(ISSUED).await;
    world.settle().await;
    let in_flight = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    while world.receiver.count("/hook") < 3 {
        world.receiver.next("/hook").await;
    }
    let answer = world.test.on_target("deactivateNotificationTarget", &target).await;
    assert_eq!(answer["status"], "DEACTIVATED");
    assert!(answer["deactivatedAt"].is_string());
    gate.open();
    world.settle().await;
    assert_eq!(world.test.attempt_statuses(&in_flight).await, ["SUCCESS"]);
    assert_eq!(world.test.attempt_statuses(&waiting).await, ["FAILURE", "SKIPPED"]);
    assert_eq!(world.receiver.count("/hook"), 3);

    let again = world.test.on_target("deactivateNotificationTarget", &target).await;
    assert_eq!(again["deactivatedAt"], answer["deactivatedAt"]);
    assert_eq!(world.test.history(&target).await.len(), 3);
}

#[rstest]
#[tokio::test]
async fn missed_events_are_found_by_the_filter_and_replayed(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let delivered = world.test.publish(ISSUED).await;
    world.settle().await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    let failed = world.test.publish(ISSUED).await;
    exhaust(&world).await;
    let skipped = world.test.publish(ISSUED).await;

    world.receiver.script("/hook", [Answer::Status(200)]);
    let answer = world.test.on_target("activateNotificationTarget", &target).await;
    assert!(answer["deactivatedAt"].is_string(), "it stays after a new activation");
    world.settle().await;
    assert_eq!(world.test.status(&target).await, "ACTIVE");
    assert_eq!(missed(&world.test, &target).await, [skipped.clone(), failed.clone()]);
    let sent = world.receiver.count("/hook");
    world.pass(Duration::from_secs(3_600)).await;
    assert_eq!(world.receiver.count("/hook"), sent, "nothing is sent again by itself");

    for event in missed(&world.test, &target).await {
        let input = json!({ "notificationEventId": event });
        world.test.call("replayNotificationEvent", input, ("NotificationEvent", "id")).await;
    }
    world.settle().await;
    assert_eq!(missed(&world.test, &target).await, [] as [String; 0]);
    assert_eq!(world.test.attempt_statuses(&skipped).await, ["SKIPPED", "SUCCESS"]);
    assert_eq!(world.test.attempt_statuses(&delivered).await, ["SUCCESS"]);
}

/// The events that the target has not got, newest first (D5).
async fn missed(api: &Api, target: &str) -> Vec<String> {
    let fields = "... on WebhookNotificationTarget {
        webhookNotificationTargetEvents(filterBy: { hasSuccessfulDelivery: false }) {
            edges { node { hasSuccessfulDelivery event { id } } } } }";
    let events = nodes(&api.node(target, fields).await["webhookNotificationTargetEvents"]);
    assert!(events.iter().all(|event| event["hasSuccessfulDelivery"] == false));
    events.iter().map(|event| id(&event["event"])).collect()
}

#[rstest]
#[tokio::test]
async fn removal_during_a_delivery_keeps_its_attempt_and_ends_the_rest(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    let waiting = world.test.publish(ISSUED).await;
    world.settle().await;
    let gate = Gate::new();
    world.receiver.script("/hook", [Answer::Held(gate.clone())]);
    let in_flight = world.test.publish(ISSUED).await;
    while world.receiver.count("/hook") < 3 {
        world.receiver.next("/hook").await;
    }
    let removed = world.test.on_target("removeNotificationTarget", &target).await;
    assert_eq!(id(&removed), target);
    gate.open();
    world.settle().await;
    world.pass(Duration::from_secs(3_600)).await;

    assert_eq!(world.test.node(&target, "").await, Value::Null);
    assert_eq!(world.receiver.count("/hook"), 3);
    for (event, end) in [(&waiting, "FAILURE"), (&in_flight, "SUCCESS")] {
        let attempts = world.test.attempts(event).await;
        assert_eq!(attempts.len(), 1);
        assert_eq!(attempts[0]["deliveryAttemptStatus"], end);
        assert_eq!(attempts[0]["uri"], json!(world.receiver.uri("/hook")));
        assert_eq!(attempts[0]["target"], Value::Null);
    }
    assert_eq!(
        world.test.codes("removeNotificationTarget", json!({ "targetId": target })).await,
        [("NOT_FOUND".to_owned(), "input.targetId".to_owned())]
    );
}

/// Publishes more than a target takes at a time, of which so many are on their way.
async fn fill_lane(world: &World, gate: &Gate) -> usize {
    world.receiver.take("/hook");
    world.receiver.script("/hook", [Answer::Held(gate.clone())]);
    world.test.publish_many(ISSUED, 50).await;
    let on_their_way = (world.app.settings.target_concurrency / 16).max(1);
    for _ in 0..on_their_way {
        world.receiver.next("/hook").await;
    }
    on_their_way
}

/// Waits until nothing is left of a target's deliveries, which the engine sees to after it has heard of the
/// removal.
async fn wait_until_swept(world: &World, target: &str) {
    let of_target = || {
        delivery::Entity::find()
            .filter(delivery::Column::TargetId.eq(target))
            .filter(delivery::Column::DueAt.is_not_null())
    };
    while of_target().count(world.app.db.reader()).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
}

#[rstest]
#[tokio::test]
async fn deliveries_in_memory_for_a_removed_target_are_not_sent(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let gate = Gate::new();
    let on_their_way = fill_lane(&world, &gate).await;
    world.test.on_target("removeNotificationTarget", &target).await;
    wait_until_swept(&world, &target).await;
    gate.open();
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), on_their_way);
}

#[tokio::test]
async fn a_target_that_another_server_removed_is_not_sent_to() {
    let look_often = |settings: &mut Settings| settings.look_interval = Duration::from_millis(20);
    let Some(world) = World::with(On::Postgres, look_often).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let gate = Gate::new();
    let on_their_way = fill_lane(&world, &gate).await;
    world.second_api().await.on_target("removeNotificationTarget", &target).await;
    wait_until_swept(&world, &target).await;
    gate.open();
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), on_their_way);
}
