//! Changes of the same things at the same time: they wait for each other in one order, so that
//! PostgreSQL never has to give one of them up.
//!
//! That nobody hears of a deadlock is not enough: whoever is given up waits for a second, and tries only so
//! often. So the database is asked how many there were.

use futures_util::future::join_all;
use reprise::app::Settings;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, Statement};
use serde_json::{Value, json};

use world::api::id;
use world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// How many callers each mutation of a pair has.
const CALLERS: usize = 3;
/// How many pairs meet at once, each at a target of its own in the same organization.
const AT_ONCE: usize = 5;

/// Every mutation that changes a target.
const MUTATIONS: [&str; 10] = [
    "activateNotificationTarget",
    "deactivateNotificationTarget",
    "renameNotificationTarget",
    "rotateNotificationTargetSigningKey",
    "addSubscriptionsToNotificationTarget",
    "removeSubscriptionsFromNotificationTarget",
    "setEmailForNotificationTarget",
    "removeEmailFromNotificationTarget",
    "initiateNotificationPingTest",
    "removeNotificationTarget",
];

fn input(mutation: &str, target: &str, caller: usize) -> Value {
    let mut input = json!({ "targetId": target });
    match mutation {
        "renameNotificationTarget" => input["name"] = json!(format!("Name {caller}")),
        "setEmailForNotificationTarget" => input["email"] = json!(format!("{caller}@example.com")),
        name if name.contains("Subscriptions") => input["subscriptions"] = json!(["PAYMENT_CARD_CLOSED"]),
        _ => {}
    }
    input
}

/// Calls a mutation, which may find that there is nothing to change, or nothing any more. A busy machine may
/// make it take longer than it may; then it is called again.
async fn call(api: &Api, mutation: &str, input: Value) -> Value {
    let type_name = mutation[..1].to_uppercase() + &mutation[1..];
    let of_target =
        if mutation.contains("NotificationTarget") { "... on WebhookNotificationTarget { id }" } else { "" };
    let query = format!(
        "mutation($input: {type_name}Input!) {{ {mutation}(input: $input) {{ __typename {of_target} }} }}"
    );
    loop {
        let mut answer = api.ask(&query, json!({ "input": input })).await;
        if answer.status == 200 && answer.body["errors"].is_null() {
            return answer.body["data"][mutation].take();
        }
    }
}

/// Adds a target and answers its id.
async fn add(world: &World) -> String {
    let input = json!({ "name": "A target", "uri": world.receiver.uri("/hook"), "subscriptions": [ISSUED] });
    id(&call(&world.live, "addWebhookNotificationTarget", input).await)
}

/// How many deadlocks the database has had. Whoever works in it has to go first: a session tells what it
/// counted when it ends, or later.
async fn deadlocks(world: &World) -> i64 {
    let mut options = ConnectOptions::new(world.database_url());
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    db.execute_unprepared(end).await.unwrap();
    let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let statement = Statement::from_string(db.get_database_backend(), count);
    db.query_one_raw(statement).await.unwrap().unwrap().try_get("", "deadlocks").unwrap()
}

#[tokio::test]
async fn no_two_mutations_of_one_target_wait_for_each_other() {
    let unlimited = |settings: &mut Settings| settings.activations = None;
    let Some(world) = World::with(On::Postgres, unlimited).await else { return };
    let pairs = MUTATIONS
        .iter()
        .enumerate()
        .flat_map(|(number, one)| MUTATIONS[number..].iter().map(move |other| [*one, *other]));
    let meet = async |pair: [&str; 2]| {
        let target = add(&world).await;
        let calls = (0..2 * CALLERS).map(|caller| {
            let mutation = pair[caller % 2];
            call(&world.live, mutation, input(mutation, &target, caller))
        });
        join_all(calls).await;
        call(&world.live, "removeNotificationTarget", json!({ "targetId": target })).await;
    };
    // The engine settles activations meanwhile.
    for some in pairs.collect::<Vec<_>>().chunks(AT_ONCE) {
        join_all(some.iter().map(|pair| meet(*pair))).await;
    }
    assert_eq!(deadlocks(&world).await, 0);
}

#[tokio::test]
async fn publishers_replays_and_the_engine_do_not_wait_for_each_other() {
    let Some(world) = World::on(On::Postgres).await else { return };
    let mut targets = Vec::new();
    for path in ["/one", "/two", "/three"] {
        targets.push(world.active_target(&world.test, path, &[ISSUED]).await);
    }
    let replica = World::at(world.database_url(), |_| {}).await;
    let apis = [world.test.clone(), replica.test.with_key(world.test.key())];
    // The same keys, in every order of two callers.
    let publish = async |caller: usize| {
        for round in 0..8 {
            let mut keys: Vec<usize> = (0..20).map(|key| round * 20 + key).collect();
            if caller.is_multiple_of(2) {
                keys.reverse();
            }
            let event = |key| json!({ "name": ISSUED, "node": {}, "idempotencyKey": format!("{key}") });
            let events: Vec<Value> = keys.into_iter().map(event).collect();
            let api = &apis[caller / 2 % 2];
            call(api, "publishNotificationEvents", json!({ "events": events })).await;
        }
    };
    let events = [world.test.publish(ISSUED).await, world.test.publish(ISSUED).await];
    let replay = async |caller: usize| {
        for round in 0..16 {
            let mut ids = targets.clone();
            ids.rotate_left(caller);
            let event = &events[(caller + round) % 2];
            let input = json!({ "notificationEventId": event, "targetIds": ids });
            call(&apis[caller % 2], "replayNotificationEvent", input).await;
        }
    };
    tokio::join!(join_all((0..4).map(publish)), join_all((0..4).map(replay)));
    assert_eq!(deadlocks(&world).await, 0);
}
