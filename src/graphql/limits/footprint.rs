//! How much memory an operation may hold while it is executed, told before anything of it is done.
//!
//! Fields are resolved side by side, so an operation holds something for each value of its answer until it
//! ends. The rows that it reads are counted as they come ([`PayloadBudget`](super::payload_budget::PayloadBudget)),
//! and use up first what was taken ahead.

use async_graphql::parser::types::{OperationDefinition, Selection, SelectionSet};

/// What a field takes that is there at once, and what a point stands for: an object whose fields wait for the
/// database. Both were measured, and are a little more than that.
pub(crate) const FIELD: usize = 512;
const POINT: usize = 5 * 1_024;

/// What every operation takes, however little it asks for.
const LEAST: usize = 32 * 1_024;

/// What questions about the schema take, whose lists are not counted by points.
const SCHEMA: usize = 16 * 1_024 * 1_024;

/// What an operation of so many points may hold. Its fields are merged: none stands in a spread.
pub(crate) fn of(operation: &OperationDefinition, points: usize) -> usize {
    points.saturating_mul(POINT).saturating_add(LEAST + of_selections(&operation.selection_set.node))
}

fn of_selections(selections: &SelectionSet) -> usize {
    let of_selection = |selection: &Selection| match selection {
        Selection::Field(field)
            if field.node.name.node.starts_with("__") && field.node.name.node != "__typename" =>
        {
            SCHEMA
        }
        Selection::Field(field) => FIELD + of_selections(&field.node.selection_set.node),
        Selection::InlineFragment(fragment) => of_selections(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => 0,
    };
    selections.items.iter().map(|selection| of_selection(&selection.node)).sum()
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    #[test]
    fn points_count_and_each_field_wherever_it_stands() {
        for (document, points, expected) in [
            ("{ a }", 0, FIELD),
            ("{ a { b ... { c } } __typename }", 3, 4 * FIELD + 3 * POINT),
            ("{ ... on A { a { b } } ... on B { a } }", 0, 3 * FIELD),
            ("{ __schema { types { name } } a }", 0, SCHEMA + FIELD),
        ] {
            let document = parse_query(document).unwrap();
            let (_, operation) = document.operations.iter().next().unwrap();
            assert_eq!(of(&operation.node, points), LEAST + expected);
        }
    }
}
