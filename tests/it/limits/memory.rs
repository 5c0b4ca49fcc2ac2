//! What requests take in memory together.

use reprise::app::Settings;
use reqwest::header::RETRY_AFTER;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{PING, connect, header};
use crate::world::{Api, On, World};

/// Memory for so little that a story can use it up.
fn little(settings: &mut Settings) {
    settings.door.memory = 400_000;
}

/// Bodies that begin and do not end, until their sender has used up its share.
async fn fill(api: &Api, status: u16) -> Vec<TcpStream> {
    let mut begun = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(api, &header(api, "content-length: 100000\r\n")).await;
        stream.write_all(&vec![b' '; 49_000]).await.unwrap();
        begun.push(stream);
    }
    // What was sent is counted when it has been read.
    let long = format!("{PING} # {}", "x".repeat(10_000));
    while api.ask(&long, json!({})).await.status != status {}
    begun
}

#[tokio::test]
async fn who_sends_too_much_at_a_time_is_refused_and_others_are_served() {
    let world = World::with(On::Sqlite, little).await.unwrap();
    let ((greedy, _), (second, _)) = (world.stranger().await, world.stranger().await);
    let begun = fill(&greedy, 429).await;
    let long = format!("{PING} # {}", "x".repeat(10_000));
    let refused = greedy.ask(&long, json!({})).await;
    assert_eq!(refused.body["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    world.test.ok(&long, json!({})).await;

    // When all have taken all, nobody is told to be at fault.
    let more = fill(&second, 429).await;
    let body = json!({ "query": long }).to_string();
    let request = world.test.client().post(world.test.at("/graphql")).body(body);
    let request = request.header("authorization", world.test.authorization());
    let response = request.header("content-type", "application/json").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    drop((begun, more));
    while greedy.ask(&long, json!({})).await.status != 200 {}
    world.test.ok(&long, json!({})).await;
}

#[tokio::test]
async fn a_body_of_many_small_values_counts_for_what_they_take() {
    let world = World::with(On::Sqlite, little).await.unwrap();
    let many = |values: usize| json!({ "list": vec![1; values] });
    assert_eq!(world.test.ask(PING, many(1_000)).await.status, 200);
    assert_eq!(world.test.ask(PING, many(2_000)).await.status, 429);
}
