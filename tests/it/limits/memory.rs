//! What requests take in memory together.

use reprise::app::Settings;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{ISSUED, PING, connect, header, post};
use world::api::Answer;
use world::{Api, On, World};

const MEBIBYTE: usize = 1_024 * 1_024;

/// Memory for so little that a story can use it up.
fn little(settings: &mut Settings) {
    settings.limits.memory = 1_600_000;
}

/// Bodies that begin and do not end, of so many bytes in all, until what there is is used up.
async fn fill(api: &Api, bodies: usize, status: u16) -> Vec<TcpStream> {
    let mut begun = Vec::new();
    for _ in 0..bodies {
        let mut stream = connect(api, &header(api, "content-length: 100000\r\n")).await;
        stream.write_all(&vec![b' '; 49_000]).await.unwrap();
        begun.push(stream);
    }
    // What was sent is counted when it has been read.
    while ask_long(api).await.status != status {}
    begun
}

/// A request that needs more room than is left when all is taken.
async fn ask_long(api: &Api) -> Answer {
    api.ask(PING, json!({ "text": "x".repeat(10_000) })).await
}

#[tokio::test]
async fn a_client_that_sends_too_much_is_refused_and_others_are_served() {
    let world = World::with(On::Sqlite, little).await.unwrap();
    let ((greedy, _), (second, _)) = (world.stranger().await, world.stranger().await);
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    let begun = fill(&greedy, 16, 429).await;
    let refused = ask_long(&greedy).await;
    assert_eq!(refused.body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    second.ok(PING, json!({})).await;

    // When all that readers can take is taken, nobody is told that it is his fault, and publishing goes on.
    let more = fill(&second, 8, 503).await;
    let body = json!({ "query": PING, "variables": { "text": "x".repeat(10_000) } }).to_string();
    let (status, wait, _) = post(&world.test, "application/json", body).await;
    assert_eq!((status, wait.as_deref()), (503, Some("1")));
    world.test.publish(ISSUED).await;
    drop((begun, more));
    while ask_long(&greedy).await.status != 200 {}
    assert_eq!(ask_long(&world.test).await.status, 200);
}

#[tokio::test]
async fn a_body_of_many_small_values_counts_for_what_they_take() {
    let world = World::with(On::Sqlite, |settings| settings.limits.memory = 400_000).await.unwrap();
    let many = |values: usize| json!({ "list": vec![1; values] });
    assert_eq!(world.test.ask(PING, many(500)).await.status, 200);
    assert_eq!(world.test.ask(PING, many(2_000)).await.status, 413);
}

#[tokio::test]
async fn operations_without_memory_are_not_begun() {
    let world = World::with(On::Sqlite, |settings| settings.limits.memory = 180_000).await.unwrap();
    let create = |key: &str| format!("{key}: createSecretAPIKey(input: $input) {{ __typename }}");
    let ask = async |fields: String| {
        let query = format!("mutation($input: CreateSecretAPIKeyInput!) {{ {fields} }}");
        world.test.ask(&query, json!({ "input": { "secretKey": { "name": "x" } } })).await
    };
    let refused = ask(create("a") + &create("b")).await;
    assert_eq!((refused.status, &refused.body["data"]), (413, &Value::Null));
    let list = "{ organizations { apiKeys(first: 3) { edges { node { id } } } } }";
    let keys = async || {
        let organizations = world.test.ok(list, json!({})).await["organizations"].take();
        organizations[0]["apiKeys"]["edges"].as_array().map(Vec::len)
    };
    assert_eq!(keys().await, Some(1));
    assert_eq!(ask(create("a")).await.status, 200);
    assert_eq!(keys().await, Some(2));
}

/// Publishes events of 100 KB.
async fn publish_long(api: &Api, events: usize) {
    let event = json!({ "name": ISSUED, "node": { "text": "x".repeat(100_000) } });
    let input = json!({ "events": vec![event; events] });
    let fields = ("PublishedNotificationEvents", "events { id }");
    let made = api.call("publishNotificationEvents", input, fields).await;
    assert_eq!(made["events"].as_array().map(Vec::len), Some(events), "{made}");
}

#[tokio::test]
async fn rows_count_as_they_are_read_no_matter_which_fields_are_asked_for() {
    let world = World::with(On::Sqlite, |settings| settings.limits.memory = 12 * MEBIBYTE).await.unwrap();
    let api = &world.live;
    for _ in 0..8 {
        publish_long(api, 10).await;
    }
    let events =
        |first: usize| format!("{{ notificationEvents(first: {first}) {{ edges {{ node {{ id }} }} }} }}");
    let few = api.ok(&events(20), json!({})).await;
    assert!(few["notificationEvents"]["edges"][19]["node"]["id"].is_string(), "{few}");
    let answer = api.ask(&events(80), json!({})).await;
    assert_eq!((answer.status, &answer.body["data"]["notificationEvents"]), (200, &Value::Null));
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    // What was read is given back.
    api.ok(&events(20), json!({})).await;
}

#[tokio::test]
async fn fields_without_points_count_for_each_row() {
    let world = World::with(On::Sqlite, |settings| settings.limits.memory = 16 * MEBIBYTE).await.unwrap();
    world.live.publish_many(ISSUED, 200).await;
    let names = |number: usize| (0..number).map(|name| format!("n{name}: id")).collect::<Vec<_>>().join(" ");
    let events = |number| {
        format!("{{ notificationEvents(first: 200) {{ edges {{ node {{ {} }} }} }} }}", names(number))
    };
    world.live.ok(&events(5), json!({})).await;
    let answer = world.live.ask(&events(100), json!({})).await;
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{:.200}", answer.body);
}
