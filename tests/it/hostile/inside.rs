//! URIs that lead into the server's own network (T2).

use receiver::Receiver;
use reprise::rules::uri::Policy;
use rstest::rstest;
use serde_json::Value;

use super::{ISSUED, failure, outcome};
use world::{On, World};

#[rstest]
#[tokio::test]
async fn inside_addresses_are_neither_dialled_nor_revealed(#[values(On::Sqlite, On::Postgres)] on: On) {
    // They were added while that was allowed; afterwards the server was started without the switch.
    let Some(mut world) = World::with(on, |settings| settings.outbound.uris.http = true).await else {
        return;
    };
    let plain = Receiver::start_plain().await.unwrap();
    let secure = world.receiver.uri("/hook");
    let uris = [secure.clone(), secure.replace("localhost", "127.0.0.1"), plain.uri("/hook")];
    for uri in &uris {
        world.live.add_target(uri, &[ISSUED]).await;
    }
    world.settle().await;
    assert_eq!((world.receiver.count("/hook"), plain.count("/hook")), (2, 1));
    world = world.restart_with(|settings| settings.outbound.uris = Policy::default()).await;
    let event = world.live.publish(ISSUED).await;
    world.settle().await;
    let attempts = world.live.attempts(&event).await;
    for attempt in &attempts {
        let uri = attempt["uri"].as_str().unwrap();
        let reason = if uri.starts_with("http:") { "TLS" } else { "BLOCKED_ADDRESS" };
        assert_eq!(outcome(attempt), failure(None, reason), "{uri}");
        assert_eq!(attempt["responseExcerpt"], Value::Null);
        let told = attempt.to_string().replace(uri, "");
        assert!(!told.contains("127.0.0.1") && !told.contains("::1"), "{told}");
    }
    assert_eq!((attempts.len(), world.receiver.count("/hook"), plain.count("/hook")), (3, 2, 1));
}

#[rstest]
#[tokio::test]
async fn adding_a_target_asks_no_name_server(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, |settings| settings.outbound.uris.private = false).await else {
        return;
    };
    let world = world.without_engine().await;
    // It does not exist, which nobody finds out before the first attempt.
    let target = world.live.add_target("https://no-such-host.reprise-test.com/", &[]).await;
    assert_eq!(world.live.status(&target).await, "PENDING_VERIFICATION");
}
