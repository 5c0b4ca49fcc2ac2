//! Receivers that answer before they have read the request, and close: the answer counts.

use receiver::{Act, Rogue};
use rstest::rstest;
use serde_json::{Value, json};

use super::{ISSUED, Outcome, failure, head, outcome, success};
use world::api::id;
use world::{On, World, authority};

/// More than two sockets hold back, so that most of it is still to be written.
const LENGTH: usize = 250 * 1_024;

/// How the one attempt to deliver a large event there ends.
async fn attempt(world: &World, uri: &str) -> Value {
    let events = json!([{ "name": ISSUED, "node": { "text": "x".repeat(LENGTH) } }]);
    let fields = ("PublishedNotificationEvents", "events { id }");
    let made = world.live.call("publishNotificationEvents", json!({ "events": events }), fields).await;
    world.settle().await;
    let mut attempts = world.live.attempts(&id(&made["events"][0])).await;
    // Targets that were deactivated before have skipped it.
    attempts.retain(|attempt| attempt["uri"] == uri);
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    attempts.remove(0)
}

fn answers() -> Vec<(String, Outcome)> {
    vec![
        (head("content-length: 0\r\n\r\n"), success()),
        (head("content-length: 2\r\n\r\nok"), success()),
        (head("transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), success()),
        // Without a length, it ends with the connection.
        ("HTTP/1.0 200 OK\r\n\r\nok".to_owned(), success()),
        (head("\r\n"), success()),
        ("HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n".to_owned(), failure(413, "STATUS")),
        // What is cut off stays cut off.
        (head("content-length: 100\r\n\r\nok"), failure(200, "PROTOCOL")),
        (head("transfer-encoding: chunked\r\n\r\n2\r\nok\r\n"), failure(200, "PROTOCOL")),
        (head("content-le"), failure(None, "PROTOCOL")),
        (String::new(), failure(None, "PROTOCOL")),
    ]
}

#[rstest]
#[tokio::test]
async fn an_answer_counts_for_more_than_what_could_not_be_written(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::with(on, |settings| settings.outbound.uris.http = true).await else { return };
    let ok = || [Act::ok_and_close()];
    let secure = Rogue::start_hasty(authority(), ok()).await.unwrap();
    let plain = Rogue::start_bare(ok()).await.unwrap();
    for (rogue, uri) in
        [(&secure, secure.uri("/hook")), (&plain, plain.uri("/hook").replace("https:", "http:"))]
    {
        rogue.script(ok());
        let target = world.live.add_target(&uri, &[ISSUED]).await;
        world.settle().await;
        assert_eq!(world.live.status(&target).await, "ACTIVE");
        for (words, end) in answers() {
            rogue.script([Act::SayAndClose(words.clone().into())]);
            assert_eq!(outcome(&attempt(&world, &uri).await), end, "{uri} {words:?}");
        }
        world.live.on_target("deactivateNotificationTarget", &target).await;
    }
}
