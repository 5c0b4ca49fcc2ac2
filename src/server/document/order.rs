//! The order in which the keys of an answer stand: that of the document, as the specification has it. The
//! library puts each field where it was when it was done.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, SelectionSet};
use async_graphql::{Name, ServerError, Value, Variables};

use crate::server::document::merging::{Merged, Merging};
use crate::server::document::types::{Types, base};

/// The order of the keys of an object and of what is in it.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// One for each type that the object may have. What has no fields of its own has none.
    of_each: Vec<IndexMap<Name, Order>>,
}

/// The order of an answer's keys.
///
/// # Errors
/// When a condition is null.
pub(super) fn of(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    types: &Types,
    variables: &Variables,
) -> Merged<Order> {
    let merging = Merging::new(document, operation, types, Some(variables));
    Order::of(&merging, types.root(operation.ty), &[&operation.selection_set.node])
}

impl Order {
    /// That of what these sets ask of a type.
    pub(super) fn of<'a>(
        merging: &Merging<'a>,
        of: Option<&'a Name>,
        sets: &[&'a SelectionSet],
    ) -> Result<Self, ServerError> {
        let of_each = match of.and_then(|of| merging.types.members(of)) {
            Some(members) => members.iter().map(|member| keys(merging, Some(member), sets)).collect(),
            None => keys(merging, of, sets).map(|keys| vec![keys]),
        };
        Ok(Self { of_each: of_each? })
    }

    /// Puts the keys of an answer into this order.
    pub(super) fn put(&self, answer: &mut Value) {
        match answer {
            Value::List(items) => items.iter_mut().for_each(|item| self.put(item)),
            Value::Object(fields) => {
                // The type need not be in the answer. What the object has tells it.
                let has_all = |keys: &&IndexMap<Name, Self>| fields.keys().all(|key| keys.contains_key(key));
                let Some(keys) = self.of_each.iter().filter(has_all).min_by_key(|keys| keys.len()) else {
                    return;
                };
                if !fields.keys().eq(keys.keys()) {
                    fields.sort_by(|a, _, b, _| keys.get_index_of(a).cmp(&keys.get_index_of(b)));
                }
                for (key, value) in fields {
                    if let Some(order) = keys.get(key) {
                        order.put(value);
                    }
                }
            }
            _ => {}
        }
    }
}

fn keys<'a>(
    merging: &Merging<'a>,
    of: Option<&'a Name>,
    sets: &[&'a SelectionSet],
) -> Result<IndexMap<Name, Order>, ServerError> {
    let mut keys = IndexMap::new();
    for (key, same) in merging.of_object(of.map_or("", Name::as_str), sets)? {
        let sets: Vec<_> = same.iter().map(|field| &field.node.selection_set.node).collect();
        let order = match same.first() {
            Some(first) if sets.iter().any(|set| !set.items.is_empty()) => {
                let output = of.and_then(|of| merging.types.output(of, &first.node.name.node));
                Order::of(merging, output.map(|output| base(&output.ty)), &sets)?
            }
            _ => Order::default(),
        };
        keys.insert(key.clone(), order);
    }
    Ok(keys)
}
