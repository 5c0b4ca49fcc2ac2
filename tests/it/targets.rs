//! Adding, changing and removing targets: every rule of the input (T2, T7, T9,
//! T12, T13), one by one and all at once.

use rstest::rstest;
use serde_json::{Value, json};

use world::api::{codes, id, nodes};
use world::{Api, On, World};

const ADD: &str = "addWebhookNotificationTarget";

fn target(name: &str, uri: &str) -> Value {
    json!({ "name": name, "uri": uri, "subscriptions": [] })
}

fn wrong(errors: &[(&str, &str)]) -> Vec<(String, String)> {
    errors.iter().map(|(code, field)| ((*code).to_owned(), format!("input.{field}"))).collect()
}

/// How many targets there are.
async fn count(api: &Api) -> usize {
    let query = "{ organizations { webhookNotificationTargets(first: 200) { edges { node { id } } } } }";
    nodes(&api.ok(query, json!({})).await["organizations"][0]["webhookNotificationTargets"]).len()
}

#[rstest]
#[tokio::test]
async fn names_uris_and_emails_have_rules_and_nothing_is_added_when_one_is_broken(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::with(on, |settings| settings.outbound.uris.private = false).await else {
        return;
    };
    let good = "https://hooks.example.com/highnote";
    for name in ["", "   ", &"x".repeat(256), "a\u{0}b", "a\r\nb", "\u{202e}evil"] {
        assert_eq!(
            world.test.codes(ADD, target(name, good)).await,
            wrong(&[("INVALID_NAME", "name")]),
            "{name:?}"
        );
    }
    for uri in [
        "",
        "nonsense",
        "/path",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "https://",
        "https://user:password@hooks.example.com/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://localhost/",
        "https://intranet/",
        "https://hooks.example.com/\u{0}",
    ] {
        assert_eq!(
            world.test.codes(ADD, target("x", uri)).await,
            wrong(&[("INVALID_URI", "uri")]),
            "{uri:?}"
        );
    }
    for email in ["", "nobody", "a@b@c", "a b@example.com", "a@example.com\r\nBcc: b@example.com"] {
        let input = json!({ "name": "x", "uri": good, "email": email, "subscriptions": [] });
        assert_eq!(world.live.codes(ADD, input).await, wrong(&[("INVALID_EMAIL", "email")]), "{email:?}");
    }
    let all = json!({ "name": "", "uri": "", "email": "", "subscriptions": [] });
    let expected = wrong(&[("INVALID_NAME", "name"), ("INVALID_URI", "uri"), ("INVALID_EMAIL", "email")]);
    assert_eq!(world.live.codes(ADD, all).await, expected);
    assert_eq!(count(&world.test).await + count(&world.live).await, 0);

    let payload = world.live.target(ADD, target("", good)).await;
    let error = &payload["errors"][0];
    assert_eq!(error["path"], json!(["input", "name"]));
    assert!(error["description"].as_str().unwrap().contains("255"), "{error}");
    // 255 characters, not bytes.
    assert_eq!(
        world.live.target(ADD, target(&"ü".repeat(255), good)).await["status"],
        "PENDING_VERIFICATION"
    );
}

#[rstest]
#[tokio::test]
async fn several_targets_may_have_one_uri(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let first = world.active_target(&world.test, "/hook", &["PAYMENT_CARD_ISSUED"]).await;
    let second = world.active_target(&world.test, "/hook", &["PAYMENT_CARD_ISSUED"]).await;
    assert_ne!(first, second);
    world.test.publish("PAYMENT_CARD_ISSUED").await;
    world.settle().await;
    assert_eq!(world.receiver.count("/hook"), 4);
}

#[rstest]
#[tokio::test]
async fn subscriptions_are_a_set(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let names =
        ["PAYMENT_CARD_ISSUED", "PAYMENT_CARD_ISSUED", "NOTIFICATION_ACTIVATION", "AUTHORIZATION_CREATED"];
    let target = world.test.add_target(&world.receiver.uri("/hook"), &names).await;
    let change = async |mutation: &str, names: Value| {
        let input = json!({ "targetId": target, "subscriptions": names });
        world.test.target(mutation, input).await["subscriptions"].take()
    };
    let (add, remove) = ("addSubscriptionsToNotificationTarget", "removeSubscriptionsFromNotificationTarget");
    let both = json!(["AUTHORIZATION_CREATED", "PAYMENT_CARD_ISSUED"]);
    assert_eq!(change(add, json!(["PAYMENT_CARD_ISSUED", "NOTIFICATION_ACTIVATION"])).await, both);
    assert_eq!(change(add, json!([])).await, both);
    assert_eq!(change(remove, json!(["PAYMENT_CARD_CLOSED"])).await, both);
    assert_eq!(
        change(remove, json!(["PAYMENT_CARD_ISSUED", "PAYMENT_CARD_CLOSED"])).await,
        json!(["AUTHORIZATION_CREATED"])
    );
    assert_eq!(change(remove, json!(["AUTHORIZATION_CREATED"])).await, json!([]));
}

#[rstest]
#[tokio::test]
async fn renaming_changes_the_name_and_nothing_else(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let target = world.active_target(&world.test, "/hook", &[]).await;
    world.pass(std::time::Duration::from_secs(60)).await;
    let rename = |name: &str| json!({ "targetId": target, "name": name });
    let renamed = world.test.target("renameNotificationTarget", rename("New")).await;
    assert_eq!((&renamed["name"], &renamed["status"]), (&json!("New"), &json!("ACTIVE")));
    assert_eq!(renamed["updatedAt"], json!(world.clock.shows().to_string()));
    assert_ne!(renamed["createdAt"], renamed["updatedAt"]);
    let refused = world.test.codes("renameNotificationTarget", rename("")).await;
    assert_eq!(refused, wrong(&[("INVALID_NAME", "name")]));
    assert_eq!(world.receiver.count("/hook"), 1);
}

#[rstest]
#[tokio::test]
async fn emails_exist_in_live_only(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let denied = [("ACCESS_DENIED".to_owned(), String::new())];
    let mut with_email = target("x", &world.receiver.uri("/hook"));
    with_email["email"] = json!("a@example.com");
    assert_eq!(world.test.codes(ADD, with_email.clone()).await, denied);
    assert_eq!(count(&world.test).await, 0);
    let in_test = world.test.add_target(&world.receiver.uri("/hook"), &[]).await;
    let set = |target: &str, email: &str| json!({ "targetId": target, "email": email });
    assert_eq!(
        world.test.codes("setEmailForNotificationTarget", set(&in_test, "a@example.com")).await,
        denied
    );
    let remove = json!({ "targetId": in_test });
    assert_eq!(world.test.codes("removeEmailFromNotificationTarget", remove).await, denied);

    let live = world.live.target(ADD, with_email).await;
    assert_eq!(live["email"], "a@example.com");
    let changed = world.live.target("setEmailForNotificationTarget", set(&id(&live), "b@example.com")).await;
    assert_eq!(changed["email"], "b@example.com");
    let refused = world.live.codes("setEmailForNotificationTarget", set(&id(&live), "nobody")).await;
    assert_eq!(refused, wrong(&[("INVALID_EMAIL", "email")]));
    let removed = world.live.on_target("removeEmailFromNotificationTarget", &id(&live)).await;
    assert_eq!(removed["email"], Value::Null);
}

#[rstest]
#[tokio::test]
async fn fifty_targets_may_be_active_or_pending_even_when_added_at_once(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(world) = World::on(on).await else { return };
    let (mut added, mut refused) = (Vec::new(), 0);
    for number in 0..44 {
        added.push(id(&world
            .test
            .target(ADD, target(&format!("{number}"), &world.receiver.uri("/hook")))
            .await));
    }
    let adding: Vec<_> = (44..60)
        .map(|number| {
            let (api, uri) = (world.test.clone(), world.receiver.uri("/hook"));
            tokio::spawn(async move { api.target(ADD, target(&format!("{number}"), &uri)).await })
        })
        .collect();
    for one in adding {
        let payload = one.await.unwrap();
        if payload["__typename"] == "UserError" {
            assert_eq!(codes(&payload)[0].0, "LIMIT_EXCEEDED");
            refused += 1;
        } else {
            added.push(id(&payload));
        }
    }
    assert_eq!((added.len(), refused), (50, 10));
    world.settle().await;

    // The limit counts each environment, and not what is deactivated.
    world.live.add_target(&world.receiver.uri("/hook"), &[]).await;
    world.test.on_target("deactivateNotificationTarget", &added[0]).await;
    world.test.add_target(&world.receiver.uri("/hook"), &[]).await;
    let activate = json!({ "targetId": added[0] });
    let refused = world.test.codes("activateNotificationTarget", activate.clone()).await;
    assert_eq!(refused, wrong(&[("LIMIT_EXCEEDED", "targetId")]));
    world.test.on_target("removeNotificationTarget", &added[1]).await;
    assert_eq!(
        world.test.target("activateNotificationTarget", activate).await["status"],
        "PENDING_VERIFICATION"
    );
}

#[rstest]
#[tokio::test]
async fn at_most_500_targets_deactivated_included(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::with(on, |settings| settings.activations = None).await else { return };
    let world = world.without_engine().await;
    let add = target("x", &world.receiver.uri("/hook"));
    let first = world.test.add_target(&world.receiver.uri("/hook"), &[]).await;
    for _ in 1..500 {
        let added = id(&world.test.target(ADD, add.clone()).await);
        world.test.on_target("deactivateNotificationTarget", &added).await;
    }
    assert_eq!(world.test.codes(ADD, add.clone()).await, [("LIMIT_EXCEEDED".to_owned(), "input".to_owned())]);
    world.live.target(ADD, add.clone()).await;
    // Those that there are can be activated, and removing one makes room.
    world.test.on_target("activateNotificationTarget", &first).await;
    world.test.on_target("removeNotificationTarget", &first).await;
    assert_eq!(world.test.target(ADD, add).await["status"], "PENDING_VERIFICATION");
}

#[rstest]
#[tokio::test]
async fn unknown_targets_are_not_found_by_any_mutation(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    for unknown in ["ntt_0190163d8694739b8a4f0123456789ab", "", "ntt_", "nonsense\u{0}"] {
        for mutation in ON_TARGETS {
            let mut input = json!({ "targetId": unknown });
            match mutation {
                "renameNotificationTarget" => input["name"] = "x".into(),
                "setEmailForNotificationTarget" => input["email"] = "a@example.com".into(),
                _ if mutation.contains("Subscriptions") => input["subscriptions"] = json!([]),
                _ => {}
            }
            let codes = world.live.codes(mutation, input).await;
            assert_eq!(codes, wrong(&[("NOT_FOUND", "targetId")]), "{mutation}({unknown:?})");
        }
    }
}

/// All mutations that take the id of a target.
pub(crate) const ON_TARGETS: [&str; 9] = [
    "activateNotificationTarget",
    "deactivateNotificationTarget",
    "removeNotificationTarget",
    "renameNotificationTarget",
    "setEmailForNotificationTarget",
    "removeEmailFromNotificationTarget",
    "addSubscriptionsToNotificationTarget",
    "removeSubscriptionsFromNotificationTarget",
    "rotateNotificationTargetSigningKey",
];
