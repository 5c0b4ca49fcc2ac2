//! A task that the engine cannot do without panics: the process ends, and the next one goes on.

use fail::FailScenario;
use rstest::rstest;
use serde_json::{Value, json};

use world::api::nodes;
use world::program::Site;
use world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

#[rstest]
#[case::sqlite(On::Sqlite, &["writer"])]
#[case::postgres(On::Postgres, &["writer of events", "writer of outcomes"])]
#[tokio::test]
async fn the_engine_names_whichever_of_its_tasks_panics(#[case] on: On, #[case] writers: &[&str]) {
    let _faults = FailScenario::setup();
    let Some(world) = World::on(on).await else { return };
    for task in writers.iter().chain(&["dispatcher", "renewal", "mailer", "maintenance"]) {
        fail::cfg(*task, "panic").unwrap();
        let engine = world.replica().await;
        assert_eq!(engine.failed().await, *task);
        fail::remove(task);
    }
}

#[tokio::test]
async fn a_database_task_that_panics_ends_the_dispatcher() {
    let _faults = FailScenario::setup();
    let world = World::on(On::Sqlite).await.unwrap().without_engine().await;
    fail::cfg("claimed", "panic").unwrap();
    let engine = world.replica().await;
    world.test.add_target(&world.receiver.uri("/hook"), &[ISSUED]).await;
    engine.run_until_idle().await.unwrap();
    assert_eq!(engine.failed().await, "dispatcher");
}

/// Publishes with an idempotency key, and answers the id of the event.
async fn publish(api: &Api) -> Option<Value> {
    let query = "mutation($events: [NotificationEventInput!]!) {
        publishNotificationEvents(input: { events: $events }) {
            ... on PublishedNotificationEvents { events { id } } } }";
    let events = json!([{ "name": ISSUED, "node": {}, "idempotencyKey": "the one" }]);
    let answer = api.ask(query, json!({ "events": events })).await.body;
    answer["data"]["publishNotificationEvents"]["events"][0].get("id").cloned()
}

#[rstest]
#[tokio::test]
async fn a_server_whose_writer_panics_exits_and_the_next_one_goes_on(
    #[values(On::Sqlite, On::Postgres)] on: On,
    #[values("before-commit", "before-answer")] point: &str,
) {
    let Some(mut site) = Site::new(on).await else { return };
    let [key, _] = site.make_keys();
    // What was claimed as it was recorded is due when the lease ends.
    site.set("REPRISE_DEADLINE", "2s");
    site.set("REPRISE_LEASE", "3s");
    let mut server = site.serve().await;
    server.api(&key).add_target(&site.receiver.uri("/hook"), &[ISSUED]).await;
    site.receiver.next("/hook").await;
    server.stop().await;

    site.set("FAILPOINTS", format!("{point}=panic"));
    server = site.serve().await;
    let api = server.api(&key);
    let publishing = tokio::spawn(async move { publish(&api).await });
    let (code, log) = server.end().await;
    // The caller had no answer, or one that promises nothing.
    assert!(!matches!(publishing.await, Ok(Some(_))));
    assert_eq!(code, Some(1), "{log}");
    assert_eq!(log.matches("a task panicked").count(), 1, "{log}");
    let writer = if site.url.starts_with("sqlite") { "writer" } else { "writer of events" };
    let told = format!("error: the delivery engine has failed: its {writer} has ended");
    assert_eq!(log.matches(&told).count(), 1, "{log}");

    site.set("FAILPOINTS", "");
    server = site.serve().await;
    let api = server.api(&key);
    let event = publish(&api).await.unwrap();
    let received = site.receiver.next("/hook").await;
    let received: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(received["data"]["node"]["id"], event);
    let events = "{ notificationEvents(filterBy: {name: [PAYMENT_CARD_ISSUED]}) { edges { node { id } } } }";
    assert_eq!(nodes(&api.ok(events, json!({})).await["notificationEvents"]).len(), 1);
    server.stop().await;
}
