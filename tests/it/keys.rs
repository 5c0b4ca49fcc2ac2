//! API keys and organizations (G1, G13, X4).

use rstest::rstest;
use serde_json::{Value, json};

use world::api::{codes, id, nodes};
use world::{On, World};

const FIELDS: (&str, &str) = ("APIKey", "id name key redactedKey revokedAt createdAt kind");

#[rstest]
#[tokio::test]
async fn a_key_is_shown_once_works_at_once_and_ends_at_once(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let input = json!({ "secretKey": { "name": "CI" } });
    let made = world.live.call("createSecretAPIKey", input, FIELDS).await;
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with("sk_live_"), "{key}");
    assert_eq!(made["kind"], "INTEGRATOR");
    let mine = world.live.with_key(key);
    assert_eq!(mine.ok("{ ping }", json!({})).await["ping"], "pong");

    let fields = "... on APIKey { name key redactedKey revokedAt }";
    let shown = mine.node(&id(&made), fields).await;
    assert_eq!(
        (&shown["name"], &shown["key"], &shown["revokedAt"]),
        (&json!("CI"), &Value::Null, &Value::Null)
    );
    let redacted = shown["redactedKey"].as_str().unwrap();
    assert!(redacted.len() < key.len() && !redacted.contains(&key[20..30]), "{redacted}");

    let revoked = world.live.call("revokeAPIKey", json!({ "apiKeyId": made["id"] }), FIELDS).await;
    assert!(revoked["revokedAt"].is_string());
    assert_eq!(mine.ask("{ ping }", json!({})).await.status, 401);
    let again = world.live.call("revokeAPIKey", json!({ "apiKeyId": made["id"] }), FIELDS).await;
    assert_eq!(again, revoked);
    let list =
        world.live.ok("{ organizations { apiKeys { edges { node { id revokedAt } } } } }", json!({})).await;
    assert_eq!(nodes(&list["organizations"][0]["apiKeys"])[0]["revokedAt"], revoked["revokedAt"]);
}

#[rstest]
#[tokio::test]
async fn broken_names_and_unknown_keys_are_refused(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let input = json!({ "secretKey": { "name": "" } });
    let wrong = codes(&world.test.call("createSecretAPIKey", input, FIELDS).await);
    assert_eq!(wrong, [("INVALID_NAME".to_owned(), "input.secretKey.name".to_owned())]);
    for unknown in ["", "key_0190163d8694739b8a4f0123456789ab", "sk_test_x"] {
        let wrong = codes(&world.test.call("revokeAPIKey", json!({ "apiKeyId": unknown }), FIELDS).await);
        assert_eq!(wrong, [("NOT_FOUND".to_owned(), "input.apiKeyId".to_owned())]);
    }
}

#[rstest]
#[tokio::test]
async fn organizations_are_made_by_the_platform_only(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let fields = (
        "CreatedOrganization",
        "organization { id profile { displayName } } testKey { key kind } liveKey { key kind }",
    );
    let create = |name: &str| json!({ "displayName": name });
    let made = world.live.call("createOrganization", create("Bank of Tests"), fields).await;
    assert_eq!(made["organization"]["profile"]["displayName"], "Bank of Tests");
    for (field, prefix, environment) in [("testKey", "sk_test_", "TEST"), ("liveKey", "sk_live_", "LIVE")] {
        let key = made[field]["key"].as_str().unwrap();
        assert!(key.starts_with(prefix));
        assert_eq!(made[field]["kind"], "INTEGRATOR");
        let api = world.test.with_key(key);
        let query = "{ organizations { id profile { displayName environment } } }";
        let organizations = api.ok(query, json!({})).await["organizations"].take();
        let profile = json!({ "displayName": "Bank of Tests", "environment": environment });
        assert_eq!(organizations, json!([{ "id": made["organization"]["id"], "profile": profile }]));
        let denied = codes(&api.call("createOrganization", create("x"), fields).await);
        assert_eq!(denied[0].0, "ACCESS_DENIED");
    }
    let wrong = codes(&world.test.call("createOrganization", create("\u{7}"), fields).await);
    assert_eq!(wrong, [("INVALID_NAME".to_owned(), "input.displayName".to_owned())]);
}
