//! What an operation costs in points of complexity (G12), by rule: no field can be forgotten.
//!
//! A connection costs 2 and, for each item that may come, what is asked of it; an object 1 and what is asked of
//! it; a mutation 10 and what is asked of its payload; scalars cost nothing. Where an interface is asked, or the
//! schema itself, each field costs 1.

use async_graphql::parser::types::{Field, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::{InputType, Name, Variables};
use async_graphql_value::Value as Given;
use axum::http::StatusCode;

use crate::graphql::codes;
use crate::rules::page;
use crate::server::document::types::{Input, Types, base};
use crate::server::response::refusal::Refusal;

/// How many points an operation may cost, whoever asks.
const MOST: usize = 5_000;

const CONNECTION: usize = 2;
const MUTATION: usize = 10;

/// Far more than any operation may cost, and small enough to be added up without overflow.
const TOO_MUCH: usize = 1_000_000;

/// The cost of an operation whose fields are merged and whose variables are coerced.
pub(crate) fn of(operation: &OperationDefinition, types: &Types, variables: &Variables) -> usize {
    let costs = Costs { types, variables };
    costs.selections(types.root(operation.ty), &operation.selection_set.node)
}

/// Refuses what costs too much.
pub(crate) fn check(cost: usize) -> Result<(), Refusal> {
    if cost <= MOST {
        return Ok(());
    }
    let message =
        format!("The operation costs {cost} points; at most {MOST} are allowed. Ask for less at a time.");
    Err(Refusal::new(StatusCode::BAD_REQUEST, codes::VALIDATION_FAILED, message))
}

struct Costs<'a> {
    types: &'a Types,
    variables: &'a Variables,
}

impl Costs<'_> {
    fn selections(&self, of: Option<&Name>, set: &SelectionSet) -> usize {
        let cost = |selection: &Selection| match selection {
            Selection::Field(field) => self.field(of, &field.node),
            Selection::InlineFragment(fragment) => {
                let on = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                self.selections(on.or(of), &fragment.node.selection_set.node)
            }
            // Merging puts them in.
            Selection::FragmentSpread(_) => 0,
        };
        set.items.iter().map(|selection| cost(&selection.node)).sum()
    }

    fn field(&self, of: Option<&Name>, field: &Field) -> usize {
        let name = &field.name.node;
        if name == "__typename" {
            return 0;
        }
        let ty = of.and_then(|of| self.types.output(of, name)).map(|output| base(&output.ty));
        let asked = self.selections(ty, &field.selection_set.node);
        let (Some(of), Some(ty)) = (of, ty) else { return 1 + asked };
        if of.starts_with("__") || self.types.members(of).is_some() {
            1 + asked
        } else if self.types.root(OperationType::Mutation) == Some(of) {
            MUTATION + asked
        } else if of.ends_with("Connection") {
            // What is asked of the edges is counted for each of them by the connection itself.
            asked
        } else if matches!(self.types.input(ty), Some(Input::Scalar | Input::Enum(_))) {
            0
        } else if ty.ends_with("Connection") {
            self.items(field).saturating_mul(asked.max(1)).saturating_add(CONNECTION).min(TOO_MUCH)
        } else {
            1 + asked
        }
    }

    /// How many items of a connection may come.
    fn items(&self, connection: &Field) -> usize {
        let first = match connection.get_argument("first").map(|first| &first.node) {
            Some(Given::Variable(name)) => self.variables.get(name).cloned(),
            Some(first) => first.clone().into_const(),
            None => None,
        };
        let first = Option::<i32>::parse(first).ok().flatten();
        let items = first.and_then(|first| u64::try_from(first).ok()).unwrap_or(page::DEFAULT);
        usize::try_from(items.clamp(1, page::MAX)).unwrap_or(TOO_MUCH)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;
    use crate::graphql;

    #[test]
    fn fields_of_each_item_count() {
        let types = Types::of_schema(&graphql::printed());
        let variables = Variables::from_json(json!({ "five": 5, "null": null }));
        for (document, expected) in [
            ("{ ping __typename }", 0),
            ("{ organizations { __typename id profile { displayName } } }", 1 + 1),
            ("{ notificationEvents { edges { cursor } } }", 2 + 20),
            ("{ notificationEvents(first: 7) { edges { node { id name } } pageInfo { endCursor } } }", 2 + 7),
            ("{ notificationEvents(first: $five) { edges { cursor } } }", 2 + 5),
            ("{ notificationEvents(first: $null) { edges { cursor } } }", 2 + 20),
            ("{ notificationEvents(first: -1) { edges { cursor } } }", 2 + 20),
            ("{ notificationEvents(first: 0) { edges { cursor } } }", 2 + 1),
            ("{ notificationEvents(first: 201) { edges { cursor } } }", 2 + 200),
            (
                "{ notificationEvents(first: 200) { edges { cursor node { deliveryAttempts { edges { node { id } } } } } } }",
                2 + 200 * (1 + 2 + 20),
            ),
            (
                "mutation { removeNotificationTarget(input: $input) { __typename
                 ... on WebhookNotificationTarget { id signingKeys { secret } } } ping: __typename }",
                10 + 1,
            ),
            ("{ node(id: 1) { id ... on NotificationEvent { name } } }", 1 + 1),
            ("{ __schema { types { name } } }", 1 + 1 + 1),
        ] {
            let parsed = parse_query(document).unwrap();
            let (_, operation) = parsed.operations.iter().next().unwrap();
            assert_eq!(of(&operation.node, &types, &variables), expected, "{document}");
        }
    }

    #[test]
    fn an_operation_costs_at_most_5000_points() {
        assert!(check(5_000).is_ok());
        assert!(check(5_001).is_err());
    }
}
