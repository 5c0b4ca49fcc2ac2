//! When failed deliveries are tried again (D2), and what outlives a restart (D7).

use std::time::Duration;

use receiver::Answer;
use rstest::rstest;
use serde_json::Value;

use world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const MILLISECOND: Duration = Duration::from_millis(1);

/// Lets each pause pass, and sees that the attempt comes with its end and not before.
async fn each_attempt_comes_in_time(world: &World, api: &Api, first_pause: u64, attempts: u32) {
    let target = world.active_target(api, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    let event = api.publish(ISSUED).await;
    world.settle().await;
    for failed in 1..attempts {
        let pause = Duration::from_secs(first_pause * 3_u64.pow(failed - 1));
        let sent = world.receiver.count("/hook");
        world.pass(pause - MILLISECOND).await;
        assert_eq!(world.receiver.count("/hook"), sent, "too early after {failed} failures");
        assert_eq!(api.status(&target).await, "ACTIVE");
        world.pass(MILLISECOND).await;
        assert_eq!(world.receiver.count("/hook"), sent + 1, "too late after {failed} failures");
    }
    assert_eq!(api.attempt_statuses(&event).await, vec!["FAILURE"; attempts as usize]);
    assert_eq!(api.status(&target).await, "DEACTIVATED");
    world.pass(Duration::from_secs(30 * 3_600)).await;
    assert_eq!(world.receiver.count("/hook"), 1 + attempts as usize);
}

#[rstest]
#[tokio::test]
async fn a_busy_receiver_can_delay_a_retry(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    // As a proxy joins what it says itself with what the receiver has said.
    let asks = |status| Answer::With(status, "retry-after", "8, 60".to_owned());
    world.receiver.script("/hook", [asks(503), asks(429), asks(500), Answer::Status(200)]);
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    // The schedule says 5, 15 and 45 seconds; a 500 has nothing to ask for.
    for (attempts, pause) in [(1, 60), (2, 60), (3, 45)] {
        world.pass(Duration::from_secs(pause) - MILLISECOND).await;
        assert_eq!(world.test.attempts(&event).await.len(), attempts, "too early");
        world.pass(MILLISECOND).await;
        assert_eq!(world.test.attempts(&event).await.len(), attempts + 1, "too late");
    }
    assert_eq!(world.test.attempt_statuses(&event).await, ["FAILURE", "FAILURE", "FAILURE", "SUCCESS"]);
}

#[rstest]
#[tokio::test]
async fn new_events_do_not_wait_behind_retries(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    world.test.publish_many(ISSUED, 300).await;
    world.settle().await;

    let world = world.without_engine().await;
    world.clock.advance(Duration::from_secs(5));
    let new = world.test.publish(ISSUED).await;
    let world = world.restart().await;
    world.settle().await;
    let again = world.receiver.received("/hook").split_off(1 + 300);
    assert_eq!(again.len(), 301);
    let position = again.iter().position(|one| String::from_utf8_lossy(&one.body).contains(&new)).unwrap();
    assert!(position < 64, "it was number {position} of 301 that were due");
}

#[rstest]
#[tokio::test]
async fn in_live_ten_attempts_over_27_hours(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    each_attempt_comes_in_time(&world, &world.live, 10, 10).await;
}

#[rstest]
#[tokio::test]
async fn in_test_four_attempts_in_about_a_minute(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    each_attempt_comes_in_time(&world, &world.test, 5, 4).await;
}

#[rstest]
#[tokio::test]
async fn every_attempt_has_its_own_stamp_and_signature(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500), Answer::Status(200)]);
    world.test.publish(ISSUED).await;
    world.settle().await;
    world.pass(Duration::from_secs(5)).await;
    let received = world.receiver.received("/hook").split_off(1);
    let stamps: Vec<i64> = received
        .iter()
        .map(|one| {
            serde_json::from_slice::<Value>(&one.body).unwrap()["extensions"]["signatureTimestamp"].as_i64()
        })
        .map(Option::unwrap)
        .collect();
    assert_eq!(stamps[1] - stamps[0], 5_000);
    assert_ne!(received[0].header("highnote-signature"), received[1].header("highnote-signature"));
}

#[rstest]
#[tokio::test]
async fn a_retry_that_succeeds_ends_the_delivery(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500), Answer::Status(299)]);
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    for _ in 0..10 {
        world.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(world.test.attempt_statuses(&event).await, ["FAILURE", "SUCCESS"]);
}

#[rstest]
#[tokio::test]
async fn a_restart_in_the_middle_of_retries_changes_nothing(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(mut world) = World::on(on).await else { return };
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    let event = world.live.publish(ISSUED).await;
    world.settle().await;
    for failed in 1..10_u32 {
        world = world.restart().await;
        let pause = Duration::from_secs(10 * 3_u64.pow(failed - 1));
        world.pass(pause - MILLISECOND).await;
        assert_eq!(world.live.attempts(&event).await.len(), failed as usize);
        world = world.restart().await;
        world.pass(MILLISECOND).await;
        assert_eq!(world.live.attempts(&event).await.len(), failed as usize + 1);
    }
}

#[rstest]
#[tokio::test]
async fn claims_of_a_dead_worker_are_due_again_when_the_lease_ends(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let world = world.without_engine().await;
    let event = world.live.publish(ISSUED).await;
    let lease = world.claim_and_die(&target).await;

    let world = world.restart().await;
    world.pass(lease - MILLISECOND).await;
    assert_eq!(world.receiver.count("/hook"), 1);
    world.pass(MILLISECOND).await;
    assert_eq!(world.receiver.count("/hook"), 2);
    assert_eq!(world.live.attempt_statuses(&event).await, ["SUCCESS"]);
}
