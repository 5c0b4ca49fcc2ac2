//! What a request is counted as (G12): publishing is what the platform's own services do all day,
//! so it has a rate of its own and may be larger.

use async_graphql::Variables;
use async_graphql::parser::types::{Field, OperationDefinition, Selection};
use async_graphql::{Name, Value};
use async_graphql_value::Value as Given;

use crate::quota::RequestClass;

/// The field that publishes.
const PUBLISH: &str = "publishNotificationEvents";

/// The class of a document that is not parsed yet, as its text suggests. What does not name the field does not
/// publish; what names it may only speak of it.
pub(crate) fn suggested_by(text: &str) -> RequestClass {
    if text.contains(PUBLISH) { RequestClass::Publishing } else { RequestClass::Api }
}

/// The class of an operation, and how many events it publishes. Its fields are merged: none stands in a
/// fragment, and none twice.
pub(crate) fn of(operation: &OperationDefinition, variables: &Variables) -> (RequestClass, usize) {
    let asked = operation.selection_set.node.items.iter().filter_map(|selection| match &selection.node {
        Selection::Field(field) => Some(&field.node),
        Selection::InlineFragment(_) | Selection::FragmentSpread(_) => None,
    });
    let publishing = asked.clone().filter(|field| field.name.node == PUBLISH);
    let events = publishing.clone().map(|field| events(field, variables)).sum();
    let others = asked.filter(|field| field.name.node != PUBLISH && field.name.node != "__typename");
    match (publishing.count(), others.count()) {
        (1.., 0) => (RequestClass::Publishing, events),
        _ => (RequestClass::Api, events),
    }
}

fn events(field: &Field, variables: &Variables) -> usize {
    let variable = |name: &Name| variables.get(name);
    match field.get_argument("input").map(|input| &input.node) {
        Some(Given::Variable(name)) => match variable(name) {
            Some(Value::Object(input)) => input.get("events").map_or(0, length),
            _ => 0,
        },
        Some(Given::Object(input)) => match input.get("events") {
            Some(Given::List(events)) => events.len(),
            Some(Given::Variable(name)) => variable(name).map_or(0, length),
            Some(_) => 1,
            None => 0,
        },
        _ => 0,
    }
}

/// One value stands for a list of one.
fn length(value: &Value) -> usize {
    if let Value::List(items) = value { items.len() } else { 1 }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::{Value as Json, json};

    use super::*;

    fn class(document: &str, variables: Json) -> (RequestClass, usize) {
        let document = parse_query(document).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        of(&operation.node, &Variables::from_json(variables))
    }

    #[test]
    fn publishing_is_what_does_nothing_but_publish() {
        let events = json!({"input": {"events": [1, 2, 3]}, "events": [1, 2], "event": {}});
        for (document, expected) in [
            ("{ ping }", (RequestClass::Api, 0)),
            ("{ publishNotificationEvents { __typename } }", (RequestClass::Publishing, 0)),
            (
                "mutation { publishNotificationEvents(input: $input) { __typename } }",
                (RequestClass::Publishing, 3),
            ),
            (
                "mutation { publishNotificationEvents(input: {events: $events}) { a } }",
                (RequestClass::Publishing, 2),
            ),
            (
                "mutation { publishNotificationEvents(input: {events: $event}) { a } }",
                (RequestClass::Publishing, 1),
            ),
            (
                "mutation { publishNotificationEvents(input: {events: [{}]}) { a } }",
                (RequestClass::Publishing, 1),
            ),
            ("mutation { publishNotificationEvents(input: $no) { a } }", (RequestClass::Publishing, 0)),
            (
                "mutation { a: publishNotificationEvents(input: $input) { a } __typename
                 b: publishNotificationEvents(input: $input) { a } }",
                (RequestClass::Publishing, 6),
            ),
            ("mutation { publishNotificationEvents(input: $input) { a } other }", (RequestClass::Api, 3)),
            ("mutation { publishNotificationEvents: other }", (RequestClass::Api, 0)),
            ("{ __typename }", (RequestClass::Api, 0)),
        ] {
            assert_eq!(class(document, events.clone()), expected, "{document}");
        }
    }
}
