//! Connections that end when they should not, and what is sent once more then and what is not.

use std::time::Duration;

use receiver::{Act, Answer, Rogue};
use rstest::rstest;

use super::{CLOSED, ISSUED, active_rogue, attempt, failure, head, outcome, success};
use world::{On, World};

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
async fn requests_that_may_have_been_read_are_not_resent_in_one_attempt(
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
async fn requests_refused_unread_are_resent_in_the_same_attempt(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.active_target(&world.live, "/hook", &[ISSUED]).await;
    let refusals = vec![Answer::Refuse; 12];
    world.receiver.script("/hook", [refusals, vec![Answer::Status(200)]].concat());
    assert_eq!(outcome(&attempt(&world).await), success());
    assert_eq!(world.receiver.count("/hook"), 1 + 13);
    // But not beyond the deadline.
    let world = world.restart_with(|settings| settings.outbound.deadline = Duration::from_secs(4)).await;
    world.receiver.script("/hook", [Answer::Refuse]);
    assert_eq!(outcome(&attempt(&world).await), failure(None, "PROTOCOL"));
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
async fn while_all_of_them_misbehave_another_target_is_served(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, |settings| settings.outbound.concurrency = 64).await else { return };
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
