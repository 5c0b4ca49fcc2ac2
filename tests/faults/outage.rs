//! The database goes away and comes back.

use fail::FailScenario;
use serde_json::json;

use crate::world::World;
use crate::world::cluster::{self, Cluster};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// The status of `/readyz`.
async fn readiness(world: &World) -> u16 {
    world.test.client().get(world.test.at("/readyz")).send().await.unwrap().status().as_u16()
}

#[tokio::test]
#[expect(clippy::zombie_processes, reason = "the watchdog outlives this process")]
async fn while_the_database_is_away_the_server_says_so_and_afterwards_it_goes_on() {
    let _faults = FailScenario::setup();
    let Some(binaries) = cluster::newest_binaries() else { return };
    let cluster = Cluster::create(binaries);
    let _watchdog = cluster.watch();
    cluster.start("fsync = off\nlisten_addresses = ''");
    let world = World::at(cluster.url().as_str()).await;
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    assert_eq!(readiness(&world).await, 200);
    let gate = receiver::Gate::new();
    world.receiver.script("/hook", [receiver::Answer::Held(gate.clone()), receiver::Answer::Status(200)]);
    let in_flight = world.test.publish(ISSUED).await;
    world.receiver.next("/hook").await;
    world.receiver.next("/hook").await;

    cluster::run(&mut cluster.stop_at_once());
    gate.open();
    while readiness(&world).await != 503 {}
    let publish =
        "mutation { publishNotificationEvents(input: {events: [{name: PAYMENT_CARD_ISSUED, node: {}}]}) {
        __typename } }";
    let answer = world.test.ask(publish, json!({})).await;
    assert!(answer.status >= 500 || answer.body["errors"].is_array(), "{}", answer.body);
    assert!(!answer.body.to_string().contains("connection"), "nothing internal is told: {}", answer.body);

    cluster.start_again();
    while readiness(&world).await != 200 {}
    world.settle().await;
    assert_eq!(world.test.attempt_statuses(&in_flight).await, ["SUCCESS"]);
    let event = world.test.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(world.test.attempt_statuses(&event).await, ["SUCCESS"]);
}
