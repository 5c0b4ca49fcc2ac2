//! Two organizations and two environments cannot see or touch each other through
//! any id, cursor or list (T1).
//!
//! What there is to try is read from the schema: a new field, mutation or list is tried without
//! anybody thinking of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use serde_json::{Value, json};

use world::graph::Graph;
use world::{Api, On, World};

const ISSUED: &str = "PAYMENT_CARD_ISSUED";

/// What one caller has: everything that it can read, and all ids and cursors in it.
struct Belongings {
    everything: Value,
    ids: BTreeSet<String>,
    cursors: BTreeSet<String>,
}

impl Belongings {
    /// Makes one of everything that has an id.
    async fn make(api: &Api, world: &World, path: &str) {
        let target = world.active_target(api, path, &[ISSUED]).await;
        let event = api.publish(ISSUED).await;
        world.settle().await;
        assert_eq!(api.attempts(&event).await.len(), 1);
        api.on_target("rotateNotificationTargetSigningKey", &target).await;
        api.call("createSecretAPIKey", json!({ "secretKey": { "name": "x" } }), ("APIKey", "id")).await;
    }

    async fn of(api: &Api, graph: &Graph) -> Self {
        let query = format!("{{ {} }}", graph.everything_of("Query"));
        let everything = api.ok(&query, json!({})).await;
        let (mut ids, mut cursors) = (BTreeSet::new(), BTreeSet::new());
        collect(&everything, &mut |name, text| {
            if is_id(text) {
                ids.insert(text.to_owned());
            }
            if name.to_lowercase().ends_with("cursor") && !text.is_empty() {
                cursors.insert(text.to_owned());
            }
        });
        Self { everything, ids, cursors }
    }

    /// One id of each kind that `others` do not have, by its prefix.
    fn kinds(&self, others: &Self) -> BTreeMap<&str, &str> {
        let own = self.ids.iter().filter(|id| !others.ids.contains(*id));
        own.map(|id| (&id[..4], id.as_str())).collect()
    }

    /// The id of this kind.
    fn one(&self, prefix: &str) -> &str {
        self.ids.iter().find(|id| id.starts_with(prefix)).unwrap_or_else(|| panic!("no {prefix}"))
    }
}

/// Calls with every text in an answer and the name of its field.
fn collect(answer: &Value, found: &mut dyn FnMut(&str, &str)) {
    match answer {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(text) => found(name, text),
            other => collect(other, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn is_id(text: &str) -> bool {
    let digits = text.get(4..).unwrap_or_default();
    text.as_bytes().get(3) == Some(&b'_')
        && digits.len() == 32
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

/// An id of the same kind that nobody has.
fn unknown(id: &str) -> String {
    format!("{}0190163d8694739b8a4f0123456789ab", &id[..4])
}

/// An answer without what is different in each.
async fn answer(api: &Api, query: &str, variables: Value) -> String {
    let mut answer = api.ask(query, variables).await;
    answer.body["extensions"].take();
    format!("{} {}", answer.status, answer.body)
}

#[rstest]
#[tokio::test]
async fn nothing_of_another_scope_can_be_read_or_changed(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(world) = World::on(on).await else { return };
    let graph = Graph::of(&world.test).await;
    all_arguments_are_known(&graph);
    let (their_test, their_live) = world.stranger().await;
    let foreign = [&world.live, &their_test, &their_live];
    Belongings::make(&world.test, &world, "/mine").await;
    Belongings::make(&their_test, &world, "/theirs").await;
    Belongings::make(&world.live, &world, "/live").await;
    // With its key nothing can be published, but the activation of this target is an event.
    world.active_target(&their_live, "/theirs-live", &[ISSUED]).await;
    let before = Belongings::of(&world.test, &graph).await;
    assert!(before.cursors.len() >= 8, "{}", before.everything);
    for api in foreign {
        let own = Belongings::of(api, &graph).await;
        let mine = before.kinds(&own);
        assert!(mine.len() >= 6, "{mine:?}");
        cannot_read(api, &graph, &mine).await;
        cannot_change(api, &graph, &mine, &own).await;
        cannot_page(api, &graph, &before.cursors, &own).await;
        let own = Belongings::of(api, &graph).await.everything.to_string();
        for id in mine.values() {
            assert!(!own.contains(id), "{id} in {own}");
        }
    }
    world.settle().await;
    assert_eq!(Belongings::of(&world.test, &graph).await.everything, before.everything);
}

/// The arguments that this story knows how to try. A new one has to be thought of here.
fn all_arguments_are_known(graph: &Graph) {
    let lists: Vec<_> =
        graph.fields_with("after").iter().map(|(ty, field)| format!("{ty}.{field}")).collect();
    for (field, argument, ty) in graph.arguments() {
        let is_known = match argument {
            "id" => field == "Query.node",
            "input" => field.starts_with("Mutation."),
            "first" | "after" => lists.contains(&field),
            "filterBy" => lists.contains(&field) && places(graph, ty).is_empty(),
            _ => false,
        };
        assert!(is_known, "{field}({argument}: {ty}) may lead to what belongs to others");
    }
    assert_eq!(graph.mutations().len(), graph.fields("Mutation").len(), "mutations without an input");
}

async fn cannot_read(foreign: &Api, graph: &Graph, mine: &BTreeMap<&str, &str>) {
    let query = format!("query($id: ID!) {{ node(id: $id) {{ {} }} }}", graph.everything_of("Node"));
    for id in mine.values() {
        let read = answer(foreign, &query, json!({ "id": id })).await;
        assert_eq!(read, answer(foreign, &query, json!({ "id": unknown(id) })).await, "{id}");
        assert!(read.contains(r#""node":null"#), "{read}");
    }
}

/// Every id in the place of every id of every mutation.
async fn cannot_change(foreign: &Api, graph: &Graph, mine: &BTreeMap<&str, &str>, own: &Belongings) {
    let mut tried = 0;
    for (mutation, input) in graph.mutations() {
        let query = format!(
            "mutation($input: {input}!) {{ {mutation}(input: $input) {{ __typename
             ... on UserError {{ errors {{ code description path errorPath }} }} ... on AccessDeniedError {{ message }} }} }}"
        );
        for place in places(graph, input) {
            for id in mine.values() {
                let with = |id: &str| json!({ "input": filled(graph, input, (&place, id), own) });
                let done = answer(foreign, &query, with(id)).await;
                let nothing = answer(foreign, &query, with(&unknown(id))).await;
                assert_eq!(done, nothing, "{mutation} with {id} as {place}");
                assert!(done.starts_with("200 ") && !done.contains(*id), "{mutation}: {done}");
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");
}

/// The fields of an input that are ids.
fn places(graph: &Graph, input: &str) -> BTreeSet<String> {
    let places = RefCell::new(BTreeSet::new());
    graph.input(input, &|name, ty| {
        if ty == "ID" {
            places.borrow_mut().insert(name.to_owned());
        }
        Value::Null
    });
    places.into_inner()
}

/// An input that would be carried out with own ids, but for this one.
fn filled(graph: &Graph, input: &str, (place, id): (&str, &str), own: &Belongings) -> Value {
    graph.input(input, &|name, ty| match (ty, name) {
        ("ID", name) if name == place => json!(id),
        ("ID", "targetId" | "targetIds") => json!(own.one("ntt_")),
        ("ID", "notificationEventId") => json!(own.one("nee_")),
        ("ID", "organizationId") => json!(own.one("org_")),
        ("ID", other) => panic!("nothing is known of {other}"),
        ("JSON", _) => json!({}),
        (_, "email") => json!("a@example.com"),
        _ => json!("x"),
    })
}

async fn cannot_page(foreign: &Api, graph: &Graph, mine: &BTreeSet<String>, own: &Belongings) {
    for (ty, field) in graph.fields_with("after") {
        let query = format!("query($after: String) {{ {} }}", list(ty, field, own));
        let end = answer(foreign, &query, json!({ "after": null })).await;
        assert!(end.contains(r#""edges":["#), "{ty}.{field} cannot be read at all: {end}");
        let made_up = answer(foreign, &query, json!({ "after": "made up" })).await;
        assert!(made_up.contains("BAD_USER_INPUT"), "{ty}.{field}: {made_up}");
        for cursor in mine {
            let page = answer(foreign, &query, json!({ "after": cursor })).await;
            assert_eq!(page, made_up, "{ty}.{field}");
        }
    }
}

/// The way to a list of a type.
fn list(ty: &str, field: &str, own: &Belongings) -> String {
    let page = format!("{field}(after: $after) {{ edges {{ cursor }} }}");
    let node = |prefix| format!("node(id: {:?}) {{ ... on {ty} {{ {page} }} }}", own.one(prefix));
    match ty {
        "Query" => page,
        "Organization" => format!("organizations {{ {page} }}"),
        "WebhookNotificationTarget" => node("ntt_"),
        "NotificationEvent" => node("nee_"),
        "WebhookNotificationTargetEvent" => format!(
            "node(id: {:?}) {{ ... on WebhookNotificationTarget {{
               webhookNotificationTargetEvents(first: 1) {{ edges {{ node {{ {page} }} }} }} }} }}",
            own.one("ntt_"),
        ),
        other => panic!("no way to {other}.{field} is known"),
    }
}
