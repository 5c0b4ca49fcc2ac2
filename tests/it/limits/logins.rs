//! Logins that fail, and keys that end.

use std::time::Duration;

use reprise::app::Settings;
use reprise::quota::limits::FailedLogins;
use reqwest::header::AUTHORIZATION;
use rstest::rstest;
use serde_json::json;

use super::{PING, limited};
use world::{On, World};

#[rstest]
#[tokio::test]
async fn failed_logins_are_throttled_and_keys_that_were_good_are_not(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let few = |settings: &mut Settings| {
        settings.limits.failed_logins = Some(FailedLogins { per_address: 3, in_all: 100 });
    };
    let Some(world) = World::with(on, few).await else { return };
    world.test.ok(PING, json!({})).await;
    let wrong = |number: usize| world.test.with_key(&format!("sk_test_{}", number.to_string().repeat(43)));
    for number in 0..3 {
        assert_eq!(wrong(number).ask(PING, json!({})).await.status, 401);
    }
    for other in [wrong(3), world.test.with_key("nonsense"), world.live.clone()] {
        let (status, _, code) = other.error(PING, json!({})).await;
        assert_eq!((status, code.as_str()), (429, "RATE_LIMITED"));
    }
    world.test.ok(PING, json!({})).await;
    world.clock.advance(Duration::from_secs(60));
    world.live.ok(PING, json!({})).await;
    assert_eq!(wrong(4).ask(PING, json!({})).await.status, 401);
}

#[tokio::test]
async fn behind_a_proxy_failed_logins_count_by_the_addresses_of_clients() {
    let few = |settings: &mut Settings| {
        settings.limits.failed_logins = Some(FailedLogins { per_address: 2, in_all: 5 });
    };
    let world = World::with(On::Sqlite, few).await.unwrap();
    let wrong = world.test.with_key("sk_test_x").authorization();
    let mut answers = Vec::new();
    for client in ["1.1.1.1", "1.1.1.1", "9.9.9.9, 1.1.1.1", "2.2.2.2", "2.2.2.2", "3.3.3.3", "4.4.4.4"] {
        let request = world.test.client().post(world.test.at("/graphql")).header("x-forwarded-for", client);
        let answer = request.header(AUTHORIZATION, &wrong).body("{}").send().await.unwrap();
        answers.push(answer.status().as_u16());
    }
    assert_eq!(answers, [401, 401, 429, 401, 401, 401, 429], "2 from each, and 5 in all");
}

#[rstest]
#[tokio::test]
async fn a_key_ends_everywhere_at_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, limited).await else { return };
    let other = world.second_api().await;
    let input = json!({ "secretKey": { "name": "x" } });
    let made = world.test.call("createSecretAPIKey", input, ("APIKey", "id key")).await;
    let bearer = other.with_key(made["key"].as_str().unwrap());
    bearer.ok(PING, json!({})).await;
    let input = json!({ "apiKeyId": made["id"] });
    world.test.call("revokeAPIKey", input, ("APIKey", "id")).await;
    assert_eq!(bearer.ask(PING, json!({})).await.status, 401);
}
