//! Lists: pages that stay stable while rows are added, sizes, cursors and
//! filters (G8, G10).

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use world::api::{id, nodes};
use world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const CLOSED: &str = "PAYMENT_CARD_CLOSED";
const PAGE: &str =
    "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } }";

async fn events(api: &Api, arguments: &str) -> Value {
    let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let query = format!("{{ notificationEvents{arguments} {{ {PAGE} }} }}");
    api.ok(&query, json!({})).await["notificationEvents"].take()
}

fn ids(connection: &Value) -> Vec<String> {
    nodes(connection).iter().map(id).collect()
}

#[rstest]
#[tokio::test]
async fn pages_are_newest_first_and_stay_stable_while_events_are_added(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let mut published = world.test.publish_many(ISSUED, 25).await;
    published.reverse();
    let first = events(&world.test, "").await;
    assert_eq!(ids(&first), published[..20]);
    let info = &first["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));
    assert_eq!(info["startCursor"], first["edges"][0]["cursor"]);
    assert_eq!(info["endCursor"], first["edges"][19]["cursor"]);

    world.test.publish_many(ISSUED, 3).await;
    let second = events(&world.test, &format!("first: 20, after: {}", info["endCursor"])).await;
    assert_eq!(ids(&second), published[20..]);
    let info = &second["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(false), &json!(true)));

    let end = events(&world.test, &format!("after: {}", info["endCursor"])).await;
    assert_eq!(end["edges"], json!([]));
    assert_eq!((&end["pageInfo"]["startCursor"], &end["pageInfo"]["endCursor"]), (&json!(""), &json!("")));
}

#[rstest]
#[tokio::test]
async fn sizes_and_cursors_that_cannot_be_are_errors(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    world.test.publish_many(ISSUED, 3).await;
    assert_eq!(ids(&events(&world.test, "first: null").await).len(), 3);
    assert_eq!(ids(&events(&world.test, "first: 1").await).len(), 1);
    assert_eq!(ids(&events(&world.test, "first: 200").await).len(), 3);
    let cursor = events(&world.test, "").await["edges"][0]["cursor"].as_str().unwrap().to_owned();
    let other_list =
        world.test.ok("{ organizations { apiKeys { edges { cursor } } } }", json!({})).await["organizations"]
            [0]["apiKeys"]["edges"][0]["cursor"]
            .clone();
    let flipped: String = cursor.chars().rev().collect();
    for wrong in [
        "first: 0".to_owned(),
        "first: -1".to_owned(),
        "first: 201".to_owned(),
        "first: -2147483648".to_owned(),
        r#"after: "nonsense""#.to_owned(),
        format!(r#"after: "{flipped}""#),
        format!(r#"after: "{}""#, &cursor[..cursor.len() - 1]),
        format!("after: {other_list}"),
    ] {
        let query = format!("{{ ping notificationEvents({wrong}) {{ edges {{ cursor }} }} }}");
        let answer = world.test.ask(&query, json!({})).await;
        assert_eq!(answer.status, 200, "{wrong}");
        assert_eq!(answer.body["data"], json!({ "ping": "pong", "notificationEvents": null }), "{wrong}");
        assert_eq!(answer.body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{wrong}");
        assert_eq!(answer.body["errors"][0]["path"], json!(["notificationEvents"]));
    }
}

#[rstest]
#[tokio::test]
async fn events_are_filtered_by_name_and_time(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let first = world.test.publish(ISSUED).await;
    let first_day = world.clock.shows();
    world.clock.advance(Duration::from_secs(86_400));
    let second = world.test.publish(CLOSED).await;
    let second_day = world.clock.shows();
    world.clock.advance(Duration::from_secs(86_400));
    let third = world.test.publish(ISSUED).await;
    let date = second_day.to_string()[..10].to_owned();

    let all = || vec![third.clone(), second.clone(), first.clone()];
    let cases = [
        ("{}".to_owned(), all()),
        ("{name: [PAYMENT_CARD_ISSUED]}".to_owned(), vec![third.clone(), first.clone()]),
        ("{name: [PAYMENT_CARD_ISSUED, PAYMENT_CARD_CLOSED]}".to_owned(), all()),
        (format!(r#"{{createdAt: {{equals: "{date}"}}}}"#), vec![second.clone()]),
        (format!(r#"{{createdAt: {{equals: "{second_day}"}}}}"#), vec![second.clone()]),
        (format!(r#"{{createdAt: {{notEquals: "{date}"}}}}"#), vec![third.clone(), first.clone()]),
        (format!(r#"{{createdAt: {{lessThan: "{date}"}}}}"#), vec![first.clone()]),
        (format!(r#"{{createdAt: {{lessThanOrEquals: "{date}"}}}}"#), vec![second.clone(), first.clone()]),
        (format!(r#"{{createdAt: {{greaterThan: "{date}"}}}}"#), vec![third.clone()]),
        (
            format!(r#"{{createdAt: {{greaterThanOrEquals: "{second_day}"}}}}"#),
            vec![third.clone(), second.clone()],
        ),
        (
            format!(r#"{{createdAt: {{between: {{start: "{first_day}", end: "{date}"}}}}}}"#),
            vec![second.clone(), first.clone()],
        ),
        (
            format!(r#"{{createdAt: {{between: {{start: "{date}", end: null}}}}}}"#),
            vec![third.clone(), second.clone()],
        ),
        (format!(r#"{{name: [PAYMENT_CARD_CLOSED], createdAt: {{greaterThan: "{date}"}}}}"#), vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(&events(&world.test, &format!("filterBy: {filter}")).await), expected, "{filter}");
    }
    for unreadable in ["yesterday", "2022-13-01", "", "2022-03-31T25:00:00Z"] {
        let query = format!(
            r#"{{ notificationEvents(filterBy: {{createdAt: {{equals: "{unreadable}"}}}}) {{ edges {{ cursor }} }} }}"#
        );
        let (status, message, code) = world.test.error(&query, json!({})).await;
        assert_eq!((status, code.as_str()), (200, "BAD_USER_INPUT"), "{unreadable}");
        assert!(message.contains("equals"), "{message}");
    }
}

#[rstest]
#[tokio::test]
async fn the_events_of_a_target_are_filtered_by_name_time_and_success(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[ISSUED, CLOSED]).await;
    let activation = ids(&events(&world.test, "").await).remove(0);
    world.clock.advance(Duration::from_secs(1));
    let good = world.test.publish(ISSUED).await;
    world.settle().await;
    world.receiver.script("/hook", [receiver::Answer::Status(500)]);
    let failed = world.test.publish(CLOSED).await;
    world.settle().await;
    let gate = receiver::Gate::new();
    world.receiver.script("/hook", [receiver::Answer::Held(gate.clone())]);
    let waiting = world.test.publish(ISSUED).await;

    let list = async |filter: &str| -> Vec<String> {
        let fields = format!(
            "... on WebhookNotificationTarget {{ webhookNotificationTargetEvents(filterBy: {filter}) {{
                edges {{ node {{ hasSuccessfulDelivery event {{ id }} }} }} }} }}"
        );
        let events = world.test.node(&target, &fields).await["webhookNotificationTargetEvents"].take();
        nodes(&events).iter().map(|event| id(&event["event"])).collect()
    };
    let now = world.clock.shows();
    assert_eq!(list("{}").await, [waiting.clone(), failed.clone(), good.clone(), activation.clone()]);
    assert_eq!(list("{hasSuccessfulDelivery: true}").await, [good.clone(), activation.clone()]);
    assert_eq!(list("{hasSuccessfulDelivery: false}").await, [failed.clone()]);
    assert_eq!(list("{name: [PAYMENT_CARD_ISSUED]}").await, [waiting.clone(), good.clone()]);
    let recent =
        format!(r#"{{eventCreatedAt: {{greaterThanOrEquals: "{now}"}}, hasSuccessfulDelivery: true}}"#);
    assert_eq!(list(&recent).await, [good.clone()]);
    gate.open();
}

#[rstest]
#[tokio::test]
async fn nested_lists_have_pages_of_their_own(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    for path in ["/one", "/two", "/three"] {
        world.active_target(&world.test, path, &[ISSUED]).await;
    }
    world.test.publish_many(ISSUED, 4).await;
    world.settle().await;
    let query = "query($after: String) { organizations { webhookNotificationTargets { edges { node { id
        deliveryAttempts(first: 2, after: $after) { pageInfo { hasNextPage endCursor } edges { node { id
            target { id } event { name deliveryAttempts(first: 1) { edges { node { id } } } } } } } } } } } }";
    let answer = world.test.ok(query, json!({})).await;
    let targets = nodes(&answer["organizations"][0]["webhookNotificationTargets"]);
    assert_eq!(targets.len(), 3);
    for target in &targets {
        let attempts = nodes(&target["deliveryAttempts"]);
        assert_eq!(attempts.len(), 2);
        assert_eq!(target["deliveryAttempts"]["pageInfo"]["hasNextPage"], true);
        assert!(attempts.iter().all(|attempt| attempt["target"]["id"] == target["id"]));
        assert!(attempts.iter().all(|attempt| nodes(&attempt["event"]["deliveryAttempts"]).len() == 1));
    }
}
