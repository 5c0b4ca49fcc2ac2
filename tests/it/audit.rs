//! The audit trail: who changed what, and when, in the words of the API.

use std::time::Duration;

use entity::{ApiKeyKind, AuditEntryId, Environment, audit_entry};
use receiver::Answer;
use reprise::auth::issue_keys::{self, Order};
use reprise::store::Scope;
use rstest::rstest;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use world::api::{codes, id, nodes};
use world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";
const TRAIL: &str =
    "auditTrail(first: 200) { edges { node { id action apiKey { id } subjectId createdAt } } }";

/// The audit trail as the bearer of a key sees it, oldest first.
async fn trail(api: &Api) -> Vec<Value> {
    let answer = api.ok(&format!("{{ organizations {{ {TRAIL} }} }}"), json!({})).await;
    let mut entries = nodes(&answer["organizations"][0]["auditTrail"]);
    entries.reverse();
    entries
}

/// What was done to what, oldest first.
async fn deeds(api: &Api) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    trail(api).await.iter().map(|entry| (text(&entry["action"]), text(&entry["subjectId"]))).collect()
}

/// The id of the key that asks, which is the newest one of its scope.
async fn own_id(api: &Api) -> String {
    let keys = api.ok("{ organizations { apiKeys { edges { node { id } } } } }", json!({})).await;
    id(&nodes(&keys["organizations"][0]["apiKeys"])[0])
}

#[rstest]
#[tokio::test]
async fn every_change_is_in_the_trail_with_its_key_subject_and_time(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let api = &world.live;
    let me = own_id(api).await;
    let target = world.active_target(api, "/hook", &[ISSUED]).await;
    let with = |field: &str, value: Value| json!({ "targetId": target, field: value });
    let names = json!(["PAYMENT_CARD_CLOSED"]);
    api.target("renameNotificationTarget", with("name", "Payments".into())).await;
    api.target("setEmailForNotificationTarget", with("email", "a@example.com".into())).await;
    api.on_target("removeEmailFromNotificationTarget", &target).await;
    api.target("addSubscriptionsToNotificationTarget", with("subscriptions", names.clone())).await;
    api.target("removeSubscriptionsFromNotificationTarget", with("subscriptions", names)).await;
    api.on_target("rotateNotificationTargetSigningKey", &target).await;
    api.call("initiateNotificationPingTest", json!({ "targetId": target }), ("NotificationEvent", "id"))
        .await;
    let event = api.publish(ISSUED).await;
    let replay = json!({ "notificationEventId": event });
    api.call("replayNotificationEvent", replay, ("NotificationEvent", "id")).await;
    api.on_target("deactivateNotificationTarget", &target).await;
    api.on_target("activateNotificationTarget", &target).await;
    world.settle().await;
    api.on_target("removeNotificationTarget", &target).await;
    let input = json!({ "secretKey": { "name": "CI" } });
    let key = id(&api.call("createSecretAPIKey", input, ("APIKey", "id")).await);
    api.call("revokeAPIKey", json!({ "apiKeyId": key }), ("APIKey", "id")).await;
    let fields = ("CreatedOrganization", "organization { id }");
    let made = api.call("createOrganization", json!({ "displayName": "Another" }), fields).await;

    let deed = |action: &str, subject: &str| (action.to_owned(), subject.to_owned());
    let expected = [
        deed("TARGET_ADDED", &target),
        deed("TARGET_RENAMED", &target),
        deed("EMAIL_SET", &target),
        deed("EMAIL_REMOVED", &target),
        deed("SUBSCRIPTIONS_ADDED", &target),
        deed("SUBSCRIPTIONS_REMOVED", &target),
        deed("SIGNING_KEY_ROTATED", &target),
        deed("PING_SENT", &target),
        deed("EVENT_REPLAYED", &event),
        deed("TARGET_DEACTIVATED", &target),
        deed("TARGET_ACTIVATED", &target),
        deed("TARGET_REMOVED", &target),
        deed("API_KEY_CREATED", &key),
        deed("API_KEY_REVOKED", &key),
        deed("ORGANIZATION_CREATED", &id(&made["organization"])),
    ];
    assert_eq!(deeds(api).await, expected);
    let now = json!(world.clock.shows().to_string());
    for entry in trail(api).await {
        assert_eq!((&entry["apiKey"]["id"], &entry["createdAt"]), (&json!(me), &now));
        assert!(id(&entry).parse::<AuditEntryId>().is_ok(), "{entry}");
    }
}

#[rstest]
#[tokio::test]
async fn changes_without_effect_are_not_in_the_trail(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let api = &world.live;
    let target = world.active_target(api, "/hook", &[ISSUED]).await;
    let event = api.publish(ISSUED).await;
    let before = trail(api).await;
    let with = |field: &str, value: Value| json!({ "targetId": target, field: value });
    api.target("renameNotificationTarget", with("name", "A target".into())).await;
    api.on_target("removeEmailFromNotificationTarget", &target).await;
    let (there, absent) = (json!([ISSUED, "NOTIFICATION_ACTIVATION"]), json!(["PAYMENT_CARD_CLOSED"]));
    api.target("addSubscriptionsToNotificationTarget", with("subscriptions", there)).await;
    api.target("removeSubscriptionsFromNotificationTarget", with("subscriptions", absent)).await;
    api.on_target("activateNotificationTarget", &target).await;
    let nobody =
        json!({ "notificationEventId": event, "targetIds": ["ntt_0190163d8694739b8a4f0123456789ab"] });
    api.call("replayNotificationEvent", nobody, ("NotificationEvent", "id")).await;
    // Refused, each for another reason.
    api.target("renameNotificationTarget", with("name", "".into())).await;
    for mutation in ["removeNotificationTarget", "rotateNotificationTargetSigningKey"] {
        api.on_target(mutation, "ntt_0190163d8694739b8a4f0123456789ab").await;
    }
    world.test.target("setEmailForNotificationTarget", with("email", "a@example.com".into())).await;
    assert_eq!(trail(api).await, before);
    assert_eq!(trail(&world.test).await, Vec::<Value>::new());

    // The second time, there is nothing left to change.
    for mutation in ["setEmailForNotificationTarget", "deactivateNotificationTarget"] {
        let input = if mutation.starts_with("set") {
            with("email", "a@example.com".into())
        } else {
            json!({ "targetId": target })
        };
        api.target(mutation, input.clone()).await;
        api.target(mutation, input).await;
    }
    let key =
        id(&api.call("createSecretAPIKey", json!({ "secretKey": { "name": "CI" } }), ("APIKey", "id")).await);
    for _ in 0..2 {
        api.call("revokeAPIKey", json!({ "apiKeyId": key }), ("APIKey", "id")).await;
    }
    let since: Vec<_> =
        deeds(api).await.split_off(before.len()).into_iter().map(|(action, _)| action).collect();
    assert_eq!(since, ["EMAIL_SET", "TARGET_DEACTIVATED", "API_KEY_CREATED", "API_KEY_REVOKED"]);
}

#[rstest]
#[tokio::test]
async fn the_engine_s_own_deeds_are_in_the_history_not_in_the_trail(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::with(on, |settings| settings.schedules.live.attempts = 1).await else { return };
    let target = world.active_target(&world.live, "/hook", &[ISSUED]).await;
    world.receiver.script("/hook", [Answer::Status(500)]);
    world.live.publish(ISSUED).await;
    world.settle().await;
    assert_eq!(world.live.status(&target).await, "DEACTIVATED");
    assert_eq!(deeds(&world.live).await, [("TARGET_ADDED".to_owned(), target)]);
}

#[rstest]
#[tokio::test]
async fn a_trail_is_paged_and_is_its_scope_s_alone(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let (their_test, their_live) = world.stranger().await;
    // Its first key was made by whoever runs the server.
    let [entry] = &trail(&their_live).await[..] else { panic!("one entry") };
    assert_eq!((&entry["action"], &entry["apiKey"]), (&json!("API_KEY_CREATED"), &Value::Null));
    let (mut subjects, page) = (vec![own_id(&their_live).await], "query($after: String) { organizations {
        auditTrail(first: 2, after: $after) { edges { cursor node { subjectId } } pageInfo { hasNextPage endCursor } } } }");
    for _ in 0..5 {
        subjects.push(their_live.add_target(&world.receiver.uri("/hook"), &[]).await);
        world.clock.advance(Duration::from_secs(1));
    }
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer =
            their_live.ok(page, json!({ "after": after })).await["organizations"][0]["auditTrail"].take();
        seen.extend(nodes(&answer).iter().map(|entry| entry["subjectId"].as_str().unwrap().to_owned()));
        after = answer["pageInfo"]["endCursor"].clone();
        if answer["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    seen.reverse();
    assert_eq!(seen, subjects);
    for other in [&world.test, &world.live, &their_test] {
        let (_, _, code) = other.error(page, json!({ "after": after })).await;
        assert_eq!(code, "BAD_USER_INPUT");
        let shown = trail(other).await;
        let own = ["ORGANIZATION_CREATED", "API_KEY_CREATED"];
        assert!(shown.iter().all(|entry| own.contains(&entry["action"].as_str().unwrap())), "{shown:?}");
        assert!(shown.iter().all(|entry| !subjects.contains(&entry["subjectId"].as_str().unwrap().into())));
    }
    // Who creates an organization is not shown its own trail as that one's.
    let fields = ("CreatedOrganization", "organization { auditTrail { edges { node { id } } } }");
    let made = world.live.call("createOrganization", json!({ "displayName": "Another" }), fields).await;
    assert_eq!(made["organization"], json!({ "auditTrail": null }));
}

#[rstest]
#[tokio::test]
async fn the_command_line_has_no_key(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let organization = world.live.ok("{ organizations { id } }", json!({})).await;
    let organization = id(&organization["organizations"][0]).parse().unwrap();
    let scope = Scope { organization, environment: Environment::Live };
    let tx = world.app.db.begin().await.unwrap();
    let order = Order { kind: ApiKeyKind::Integrator, name: "By hand", by: None };
    let made = issue_keys::key(&tx, &scope, order, world.app.now()).await.unwrap();
    tx.commit().await.unwrap();
    let [entry] = &trail(&world.live).await[..] else { panic!("one entry") };
    let expected = (&json!("API_KEY_CREATED"), &json!(made.row.id.as_str()), &Value::Null);
    assert_eq!((&entry["action"], &entry["subjectId"], &entry["apiKey"]), expected);
}

#[rstest]
#[tokio::test]
async fn an_integrator_cannot_revoke_the_platform(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let platform = own_id(&world.live).await;
    let input = json!({ "secretKey": { "name": "A customer's" } });
    let made = world.live.call("createSecretAPIKey", input, ("APIKey", "id key")).await;
    let customer = world.live.with_key(made["key"].as_str().unwrap());
    let entries = audit_entry::Entity::find().count(world.app.db.reader()).await.unwrap();

    let revoke = |key: &str| json!({ "apiKeyId": key });
    let denied = customer.call("revokeAPIKey", revoke(&platform), ("APIKey", "id")).await;
    assert_eq!(codes(&denied)[0].0, "ACCESS_DENIED");
    assert_eq!(world.live.ok("{ ping }", json!({})).await["ping"], "pong");
    assert_eq!(audit_entry::Entity::find().count(world.app.db.reader()).await.unwrap(), entries);
    // Its own kind it can, itself too; and the platform can revoke both kinds.
    assert_eq!(customer.call("revokeAPIKey", revoke(&id(&made)), ("APIKey", "id")).await["id"], made["id"]);
    assert_eq!(world.live.call("revokeAPIKey", revoke(&platform), ("APIKey", "id")).await["id"], platform);
    assert_eq!(world.live.ask("{ ping }", json!({})).await.status, 401);
}
