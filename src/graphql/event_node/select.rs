//! Picks what a document asks for out of a payload.
//!
//! async-graphql does this for Rust types, whose GraphQL name is fixed. Here the name is
//! data, so the selection is walked by hand, in the way of the specification: gather the
//! fields of all fragments by the key of the answer, then answer each key once.

use std::collections::HashMap;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value};

use crate::graphql::event_node::Values;
use crate::graphql::event_node::members::PayloadType;

/// What is asked; `@skip` and `@include` were carried out before.
pub(super) struct Asked<'a> {
    /// The document's fragments.
    pub fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// The name of the union, which fragments may be on as well.
    pub union: &'a str,
}

type Fields<'a> = IndexMap<&'a Name, Vec<&'a Field>>;

impl<'a> Asked<'a> {
    /// What the selections ask of an object of this type.
    pub(super) fn of(&self, ty: &PayloadType, values: &Values, selections: &[&'a SelectionSet]) -> Value {
        let mut fields = Fields::new();
        for selection in selections {
            self.gather(ty, selection, &mut fields);
        }
        let answers = fields.into_iter().map(|(key, fields)| (key.clone(), self.answer(ty, values, &fields)));
        Value::Object(answers.collect())
    }

    fn gather(&self, ty: &PayloadType, selection: &'a SelectionSet, into: &mut Fields<'a>) {
        for selection in &selection.items {
            let (condition, selection) = match &selection.node {
                Selection::Field(field) => {
                    into.entry(&field.node.response_key().node).or_default().push(&field.node);
                    continue;
                }
                Selection::InlineFragment(fragment) => {
                    (fragment.node.type_condition.as_ref(), &fragment.node.selection_set.node)
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.fragments.get(&spread.node.fragment_name.node) else {
                        continue;
                    };
                    (Some(&fragment.node.type_condition), &fragment.node.selection_set.node)
                }
            };
            let on = condition.map(|condition| condition.node.on.node.as_str());
            if on.is_none_or(|on| on == ty.name || on == self.union) {
                self.gather(ty, selection, into);
            }
        }
    }

    fn answer(&self, ty: &PayloadType, values: &Values, fields: &[&'a Field]) -> Value {
        let Some(name) = fields.first().map(|field| field.name.node.as_str()) else { return Value::Null };
        if name == "__typename" {
            return ty.name.into();
        }
        let value = values.get(name).unwrap_or(&Value::Null);
        match ty.object_of(name) {
            None => value.clone(),
            Some(ty) => {
                let selections: Vec<_> = fields.iter().map(|field| &field.selection_set.node).collect();
                self.nested(ty, value, &selections)
            }
        }
    }

    fn nested(&self, ty: &PayloadType, value: &Value, selections: &[&'a SelectionSet]) -> Value {
        match value {
            Value::Object(values) => self.of(ty, values, selections),
            Value::List(items) => items.iter().map(|item| self.nested(ty, item, selections)).collect(),
            _ => Value::Null,
        }
    }
}
