//! What a field of a merged operation is given.

use async_graphql::parser::types::Field;
use async_graphql::{Name, Positioned, Value, Variables};
use async_graphql_value::Value as Given;

/// Takes the arguments of fields over into a merged operation.
pub(super) struct Arguments<'a> {
    /// None while a document is checked, before anything is given.
    pub variables: Option<&'a Variables>,
    /// Whether each variable has a value.
    pub is_complete: bool,
}

impl Arguments<'_> {
    /// The arguments without those whose variable has no value: the field's own default counts for them.
    pub(super) fn of(&self, field: &Field, of: Option<&Name>) -> Vec<(Positioned<Name>, Positioned<Given>)> {
        // The library does not take the null that the specification allows where it tells of the schema.
        let is_about_the_schema = of.is_some_and(|of| of.starts_with("__"));
        if self.is_complete && !is_about_the_schema {
            return field.arguments.clone();
        }
        let given = field.arguments.iter().filter_map(|(name, value)| {
            let given = self.given(&value.node)?;
            let is_left_out = is_about_the_schema && self.is_null(&given);
            (!is_left_out).then(|| (name.clone(), Positioned::new(given, value.pos)))
        });
        given.collect()
    }

    fn given(&self, value: &Given) -> Option<Given> {
        Some(match value {
            Given::Variable(name) if self.variable(name).is_none() => return None,
            Given::List(items) => {
                Given::List(items.iter().map(|item| self.given(item).unwrap_or_default()).collect())
            }
            Given::Object(fields) => {
                let given =
                    fields.iter().filter_map(|(name, value)| Some((name.clone(), self.given(value)?)));
                Given::Object(given.collect())
            }
            other => other.clone(),
        })
    }

    fn variable(&self, name: &Name) -> Option<&Value> {
        self.variables.and_then(|variables| variables.get(name))
    }

    fn is_null(&self, value: &Given) -> bool {
        match value {
            Given::Variable(name) => self.variable(name).is_none_or(|value| *value == Value::Null),
            value => *value == Given::Null,
        }
    }
}
