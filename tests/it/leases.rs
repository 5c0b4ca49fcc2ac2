//! Claims, their leases, and several servers on one database (D7).

use std::time::Duration;

use receiver::{Answer, Gate};
use rstest::rstest;

use world::{On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

#[rstest]
#[tokio::test]
async fn a_result_that_comes_after_its_lease_is_recorded_and_decides_nothing(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let gate = Gate::new();
    let answers = [Answer::Held(gate.clone()), Answer::Status(500), Answer::Status(200)];
    world.receiver.script("/hook", answers);
    let event = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    world.receiver.next("/hook").await;

    // Somebody else claims it when the lease has ended, and fails; then the first answer comes.
    world.clock.advance(world.app.settings.lease);
    world.app.wakeup.wake_everywhere();
    world.receiver.next("/hook").await;
    gate.open();
    world.settle().await;
    let mut statuses = world.test.attempt_statuses(&event).await;
    statuses.sort();
    assert_eq!(statuses, ["FAILURE", "SUCCESS"]);
    assert_eq!(world.receiver.count("/hook"), 3);

    world.pass(Duration::from_secs(5)).await;
    assert_eq!(world.receiver.count("/hook"), 4, "the failure had decided that there is a retry");
}

#[rstest]
#[tokio::test]
async fn an_attempt_not_begun_within_its_lease_is_left_to_the_next_claim(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::with(on, |settings| settings.target_concurrency = 1).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let gate = Gate::new();
    world.receiver.script("/hook", [Answer::Held(gate.clone()), Answer::Status(200)]);
    world.test.publish(ISSUED).await;
    let waiting = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    world.receiver.next("/hook").await;

    // As if the server had stood still for that long.
    world.clock.advance(world.app.settings.lease);
    world.app.wakeup.wake_everywhere();
    gate.open();
    world.settle().await;
    assert_eq!(world.test.attempt_statuses(&waiting).await, ["SUCCESS"], "it was sent once");
}

#[rstest]
#[tokio::test]
async fn a_thousand_retries_keep_their_times_over_a_restart_and_do_not_fire_in_one_instant(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    world.test.publish_many(ISSUED, 1_000).await;
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 1_001);

    let world = world.restart().await;
    world.pass(Duration::from_millis(4_999)).await;
    assert_eq!(world.receiver.count("/hook"), 1_001, "none before its time");

    let gate = Gate::new();
    world.receiver.script("/hook", [Answer::Held(gate.clone())]);
    world.clock.advance(Duration::from_secs(3_600));
    world.app.wakeup.wake_everywhere();
    // All are overdue, and as many are on their way as a lane begins with.
    let first = world.app.settings.target_concurrency / 16;
    for _ in 0..1_001 + first {
        world.receiver.next("/hook").await;
    }
    assert_eq!(world.receiver.count("/hook"), 1_001 + first);
    gate.open();
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 2_001);
}

#[rstest]
#[tokio::test]
async fn a_server_that_is_paused_delivers_nothing_until_it_is_started_without(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let world = world.restart_with(|settings| settings.paused = true).await;
    let event = world.test.publish(ISSUED).await;
    world.pass(Duration::from_secs(3_600)).await;
    assert_eq!(world.receiver.count("/hook"), 1);
    assert_eq!(world.test.attempts(&event).await.len(), 0);

    let world = world.restart_with(|settings| settings.paused = false).await;
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 2);
}

#[tokio::test]
async fn servers_on_one_postgres_share_the_work_and_send_nothing_twice() {
    let Some(world) = World::on(On::Postgres).await else { return };
    for path in ["/one", "/two", "/three"] {
        world.active_target(&world.live, path, &[ISSUED]).await;
    }
    let replicas = [world.replica().await, world.replica().await];
    let events = world.live.publish_many(ISSUED, 300).await;
    let settling = replicas.iter().map(reprise::delivery::Engine::run_until_idle);
    for settled in futures_util::future::join_all(settling).await {
        settled.unwrap();
    }
    world.settle().await;
    for path in ["/one", "/two", "/three"] {
        assert_eq!(world.receiver.count(path), 1 + 300);
    }
    assert_eq!(world.live.attempts(&events[0]).await.len(), 3);
}
