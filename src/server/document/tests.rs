//! Which documents are let through, and what becomes of them.

use async_graphql::Variables;
use serde_json::{Value as Json, json};

use super::*;

fn prepare(query: &str, variables: Json) -> Result<Request, Refusal> {
    let mut request = Request::new(query).variables(Variables::from_json(variables));
    Documents::default().prepare(&mut request).map(|_| request)
}

/// The merged operation, written as a document.
fn merged(query: &str, variables: Json) -> String {
    let mut request = prepare(query, variables).unwrap_or_else(|refusal| panic!("{query}: {refusal:?}"));
    let document = request.parsed_query().unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    write(&operation.node.selection_set.node)
}

fn write(set: &async_graphql::parser::types::SelectionSet) -> String {
    use async_graphql::parser::types::Selection;
    let parts = set.items.iter().map(|selection| match &selection.node {
        Selection::Field(field) => {
            let field = &field.node;
            let alias = field.alias.as_ref().map(|alias| format!("{}:", alias.node)).unwrap_or_default();
            let arguments: Vec<_> = field
                .arguments
                .iter()
                .map(|(name, value)| format!("{name}:{value}", name = name.node, value = value.node))
                .collect();
            let arguments =
                if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(",")) };
            format!("{alias}{}{arguments}{}", field.name.node, write(&field.selection_set.node))
        }
        Selection::InlineFragment(fragment) => {
            let on = &fragment.node.type_condition.as_ref().unwrap().node.on.node;
            format!("..{on}{}", write(&fragment.node.selection_set.node))
        }
        Selection::FragmentSpread(_) => "a spread".to_owned(),
    });
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(" ")) }
}

#[test]
fn each_key_of_the_answer_stands_once() {
    for (query, variables, expected) in [
        ("{ ping ping a: ping ...F } fragment F on Query { ping a: ping }", json!({}), "{ping a:ping}"),
        (
            "{ organizations { id } ...F ... { organizations { profile { displayName } } } }
             fragment F on Query { organizations { profile { environment } id } }",
            json!({}),
            "{organizations{id profile{environment displayName}}}",
        ),
        (
            "query($s: Boolean!) { a: ping @skip(if: $s) a: ping @include(if: $s) b: ping @skip(if: true)
             ... @include(if: $s) { c: ping } }",
            json!({"s": true}),
            "{a:ping c:ping}",
        ),
        // Nothing is left: a key that no document can write is asked for.
        ("{ ping @skip(if: true) }", json!({}), "{:__typename}"),
        (
            "{ organizations { id @include(if: false) profile { displayName @skip(if: true) } } }",
            json!({}),
            "{organizations{profile{:__typename}}}",
        ),
        // Of an interface: what is asked of all, and what of some.
        (
            "{ node(id: 1) { id ...N ... on NotificationEvent { id name } ... on Organization { id } ...E } }
             fragment N on Node { __typename id } fragment E on NotificationEvent { name createdAt }",
            json!({}),
            "{node(id:\"1\"){id __typename ..NotificationEvent{name createdAt}}}",
        ),
        (
            "{ node(id: 1) { ... on NotificationEvent { id } ... on SigningKey { id } } }",
            json!({}),
            "{node(id:\"1\"){:__typename ..NotificationEvent{id} ..SigningKey{id}}}",
        ),
        // A union inside of an interface stands for those that are of both.
        (
            "{ node(id: 1) { ... on ReplayNotificationEventPayload { ... on NotificationEvent { id } } } }",
            json!({}),
            "{node(id:\"1\"){:__typename ..NotificationEvent{id}}}",
        ),
        // An argument whose variable has no value is left out; in an object too; in a list it is null.
        (
            "query($n: Int, $a: String) { notificationEvents(first: $n, after: $a) { __typename } }",
            json!({"a": null}),
            "{notificationEvents(after:$a){__typename}}",
        ),
        (
            "query($s: String, $n: [NotificationEventName!]) { notificationEvents(filterBy: {name: $n, createdAt: {equals: $s}}) { __typename } }",
            json!({"n": null}),
            "{notificationEvents(filterBy:{name: $n, createdAt: {}}){__typename}}",
        ),
        (
            "query($d: Boolean) { __type(name: \"Node\") { fields(includeDeprecated: $d) { name } a: fields(includeDeprecated: null) { name } } }",
            json!({}),
            "{__type(name:\"Node\"){fields{name} a:fields{name}}}",
        ),
    ] {
        assert_eq!(merged(query, variables), expected, "{query}");
    }
}

#[test]
fn fields_of_an_interface_and_of_its_members_merge_for_each_member() {
    use async_graphql::parser::parse_query;
    let types = Types::of_schema(
        "interface I { x: X } type A implements I { x: X } type B implements I { x: X }
         type X { p: Int, q: Int } type Query { i: I } schema { query: Query }",
    );
    let document = parse_query("{ i { x { p } ... on B { x { q } } } }").unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    let (merged, _) =
        merging::merge(&document, &operation.node, &types, Some(&Variables::default())).unwrap();
    assert_eq!(write(&merged.selection_set.node), "{i{..A{x{p}} ..B{x{p q}}}}");
}

#[test]
fn only_added_fields_are_taken_out_of_the_answer() {
    let mut blanks = Blanks::default();
    blanks.add(&[]);
    blanks.add(&[Name::new("list"), Name::new("of")]);
    let answer = json!({ "": "Query", "list": [{ "of": { "": "T" } }, null, { "of": [{ "": "T", "a": 1 }] }], "json": { "": 1 } });
    let mut answer = async_graphql::Value::from_json(answer).unwrap();
    blanks.remove_from(&mut answer);
    let expected = json!({ "list": [{ "of": {} }, null, { "of": [{ "a": 1 }] }], "json": { "": 1 } });
    assert_eq!(answer.into_json().unwrap(), expected);
}

#[test]
fn valid_documents_pass() {
    for query in [
        "query($a: Boolean!) { __typename @include(if: $a) ping }",
        r#"{ node(id: "\uD83D\uDE00 \u{1F600}") { id } }"#,
        "{ node(id: 123456789012345678901234567890) { id } }",
        "{ notificationEvents(first: -0) { __typename } }",
        "{ node(id: 1) { ... on NotificationEvent { x: id } ... on SigningKey { x: id } } }",
        "query($i: Int) { notificationEvents(first: $i) { __typename } }",
        "{ __type(name: \"Node\") { isOneOf x: isOneOf @skip(if: true) inputFields(includeDeprecated: true) { isDeprecated deprecationReason } } }",
        "\u{feff}{ ping }",
    ] {
        let given = json!({"a": true});
        assert!(prepare(query, given.clone()).is_ok(), "{query}: {:?}", prepare(query, given));
    }
}

#[test]
fn documents_that_break_a_rule_are_refused() {
    for query in [
        "query($i: String!) { node(id: $i) { id } }",
        "query($i: ID) { node(id: $i) { id } }",
        "query($i: Int!) { node(id: $i) { id } }",
        "query($v: ID = null) { node(id: $v) { id } }",
        "query($b: Boolean) { ping @include(if: $b) }",
        "mutation($t: [ID]) { replayNotificationEvent(input: {notificationEventId: 1, targetIds: $t}) { __typename } }",
        "mutation($i: RemoveNotificationTargetInput!) { renameNotificationTarget(input: $i) { __typename } }",
        "mutation($a: ID) { removeNotificationTarget(input: {targetId: $a}) { __typename } }",
        "{ notificationEvents(filterBy: {name: \"PAYMENT_CARD_ISSUED\"}) { __typename } }",
        "mutation { removeNotificationTarget(input: {targetId: 1, targetId: 2}) { __typename } }",
        "mutation { publishNotificationEvents(input: {events: [{name: PAYMENT_CARD_ISSUED, node: {a: 1, a: 2}}]}) { __typename } }",
        "{ node(id: 1) { ... on NotificationEvent { x: name } ... on SigningKey { x: id } } }",
        "{ x: ping ...F } fragment F on Query { x: organizations { id } }",
        "mutation { a: removeNotificationTarget(input: {targetId: 1}) { __typename }
         ...F } fragment F on Mutation { a: removeNotificationTarget(input: {targetId: 2}) { __typename } }",
        "{ __typename { x } }",
        "{ __typename(a: 1) }",
        "{ __typename @nope }",
        "query($a: Int @deprecated) { notificationEvents(first: $a) { __typename } }",
        "query Q() { ping }",
        "fragment on on Query { ping } { ping }",
        "query A { ping } query A { ping }",
        "query A { ping } { ping }",
        "{ ...F } fragment F on Query { ping } fragment F on Query { ping }",
        "subscription { ping }",
        "{ __type(name: \"Node\") { isOneOf(a: 1) } }",
        "{ __type(name: \"Node\") { isOneOf { x } } }",
        "{ __type(name: \"Node\") { x: isOneOf x: name } }",
        "{ __type(name: \"Node\") { inputFields { x: isDeprecated x: deprecationReason } } }",
        "query($b: Boolean!) { __type(name: \"Node\") { isOneOf } }",
        "mutation($b: Boolean!) { removeNotificationTarget(input: {targetId: 1}) { x: __typename @include(if: $b)
         ... on AccessDeniedError { x: message @skip(if: true) } } }",
        "{ isOneOf }",
        "{ __schema }",
        "{ nothing }",
    ] {
        assert!(prepare(query, json!({})).is_err(), "{query}");
    }
}

#[test]
fn errors_say_where_they_are() {
    let refusal = prepare("{ ping # ä\r\n  nah }", json!({})).unwrap_err();
    let told = format!("{refusal:?}");
    assert!(told.contains("Pos(2:3)"), "{told}");
}

#[test]
fn keys_of_an_answer_stand_in_the_order_of_the_document() {
    let documents = Documents::default();
    for (query, answered, expected) in [
        (
            "{ organizations { id } ping }",
            r#"{"ping":"","organizations":[]}"#,
            r#"{"organizations":[],"ping":""}"#,
        ),
        (
            "{ ...F ping organizations { apiKeys { __typename } } } fragment F on Query { organizations { id } }",
            r#"{"ping":"","organizations":[{"apiKeys":{},"id":"1"},{"id":"2","apiKeys":null}]}"#,
            r#"{"organizations":[{"id":"1","apiKeys":{}},{"id":"2","apiKeys":null}],"ping":""}"#,
        ),
        ("{ a: ping @skip(if: true) ping a: ping }", r#"{"a":"","ping":""}"#, r#"{"ping":"","a":""}"#),
        // Which of its types an interface has is told by what the object has.
        (
            "{ node(id: 1) { ... on APIKey { name id } ... on Organization { profile { displayName } id } } }",
            r#"{"node":{"id":"1","profile":{"displayName":""}}}"#,
            r#"{"node":{"profile":{"displayName":""},"id":"1"}}"#,
        ),
        (
            "{ node(id: 1) { ... on APIKey { name } ... on Organization { profile { environment displayName } } id } }",
            r#"{"node":{"id":"1","name":""}}"#,
            r#"{"node":{"name":"","id":"1"}}"#,
        ),
        // A scalar is as it is, and what failed is not there.
        (
            "{ node(id: 1) { ... on NotificationEvent { node { ... on GenericNotificationEvent { payload } } name } } }",
            r#"{"node":{"name":null,"node":{"payload":{"b":1,"a":2}}}}"#,
            r#"{"node":{"node":{"payload":{"b":1,"a":2}},"name":null}}"#,
        ),
        ("{ a: ping b: organizations { id } c: ping }", r#"{"c":"","a":""}"#, r#"{"a":"","c":""}"#),
        (
            "{ __schema { types { kind name } } ping }",
            r#"{"__schema":{"types":[{"name":"","kind":""}]}}"#,
            r#"{"__schema":{"types":[{"kind":"","name":""}]}}"#,
        ),
    ] {
        let prepared = documents.prepare(&mut Request::new(query)).unwrap();
        let mut answer: Value = serde_json::from_str(answered).unwrap();
        prepared.shape.give(&mut answer);
        assert_eq!(serde_json::to_string(&answer).unwrap(), expected, "{query}");
    }
}
