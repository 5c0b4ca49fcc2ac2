//! The database fails over: the name leads to a standby, to nobody, to one who says nothing, and in the end to
//! the new primary. Then everything goes on by itself.

use fail::FailScenario;
use serde_json::json;

use crate::endurance::{ISSUED, becomes, endure, is_clean, publish};
use crate::own::{Own, beside, cut, set_read_only};
use crate::proxy::Proxy;
use world::program::Site;
use world::{On, World, impatient};

/// Every connection of a server is asked to write something.
async fn all_write(world: &World) {
    let calls =
        (0..30).map(|_| async { publish(&world.test, &[json!({ "name": ISSUED, "node": {} })]).await });
    for published in futures_util::future::join_all(calls).await {
        published.unwrap();
    }
    let calls = (0..30).map(|number| {
        let input = json!({ "secretKey": { "name": format!("{number}") } });
        world.test.call("createSecretAPIKey", input, ("APIKey", "id"))
    });
    for answer in futures_util::future::join_all(calls).await {
        assert!(answer["id"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_standby_for_a_while_does_no_harm() {
    let _faults = FailScenario::setup();
    let Some(primary) = Own::start() else { return };
    let standby = primary.standby();
    let proxy = Proxy::before(&primary.url()).await;
    let world = World::at(proxy.url.as_str(), impatient).await;
    let astray = async || {
        proxy.lead_to(Some(&standby.url()));
        proxy.hang_up();
    };
    // Who was connected to the standby meanwhile would stay so.
    endure(&world, astray, async || proxy.lead_to(Some(&primary.url()))).await;
    all_write(&world).await;
}

#[tokio::test]
async fn a_standby_that_becomes_the_primary_is_used_at_once() {
    let _faults = FailScenario::setup();
    let Some(primary) = Own::start() else { return };
    let proxy = Proxy::before(&primary.url()).await;
    let world = World::at(proxy.url.as_str(), impatient).await;
    let standby = primary.standby();
    let fail = async || {
        primary.crash();
        proxy.lead_to(Some(&standby.url()));
    };
    endure(&world, fail, async || standby.promote()).await;
    all_write(&world).await;
}

#[tokio::test]
async fn after_one_session_that_may_not_write_no_older_one_is_used() {
    let _faults = FailScenario::setup();
    let Some(world) = World::with(On::Postgres, impatient).await else { return };
    let operator = beside(&world).await;
    let read_only = async || {
        set_read_only(&operator, true).await;
        cut(&operator).await;
    };
    // A session keeps what was set when it began; nobody cuts it now.
    endure(&world, read_only, async || set_read_only(&operator, false).await).await;
    all_write(&world).await;
}

#[tokio::test]
async fn a_primary_that_vanishes_without_a_word_is_given_up() {
    let _faults = FailScenario::setup();
    let Some(behind) = World::on(On::Postgres).await else { return };
    let proxy = Proxy::before(behind.database_url()).await;
    let world = World::at(proxy.url.as_str(), impatient).await;
    world.active_target(&world.test, "/hook", &[ISSUED]).await;
    all_write(&world).await;
    proxy.fall_silent();
    // All connections are in use, and none of them is answered.
    let event = json!({ "name": ISSUED, "node": {} });
    let calls = (0..30).map(|number| {
        let (world, event) = (&world, &event);
        async move {
            let input = json!({ "secretKey": { "name": format!("{number}") } });
            let query = "mutation($input: CreateSecretAPIKeyInput!) {
                createSecretAPIKey(input: $input) { __typename } }";
            world.test.ask(query, json!({ "input": input })).await;
            publish(&world.test, std::slice::from_ref(event)).await.map_err(|answer| is_clean(&answer)).ok();
        }
    });
    futures_util::future::join_all(calls).await;
    becomes(&world.test, 200).await;
    all_write(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_during_a_failover_waits_for_its_end() {
    let Some(primary) = Own::start() else { return };
    let standby = primary.standby();
    let proxy = Proxy::before(&primary.url()).await;
    let site = Site::at(proxy.url.as_str()).await;
    let [key, _] = site.make_keys();
    // A proxy that has no server hangs up.
    proxy.lead_to(None);
    let mut server = site.begin_to_serve();
    let line = server.hear("the database is away; trying again").await;
    assert!(line.contains("could not be opened"), "{line}");
    proxy.lead_to(Some(&standby.url()));
    let line = server.hear("in recovery").await;
    assert!(line.contains("the database is away; trying again"), "{line}");
    proxy.lead_to(Some(&primary.url()));
    server.wait().await;
    assert_eq!(server.api(&key).ok("{ ping }", json!({})).await["ping"], "pong");
}
