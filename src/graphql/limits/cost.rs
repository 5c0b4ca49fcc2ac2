//! What each field costs towards the complexity of a document (G12), by rule: no field
//! can be forgotten.
//!
//! A connection costs 2 and, for each item that may come, what is asked of it; an object
//! 1 and what is asked of it; a mutation 10 and what is asked of its payload; scalars
//! cost nothing.

use std::borrow::Cow;
use std::collections::HashSet;

use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaField, MetaType, Registry};
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

use crate::rules::page;

const CONNECTION: usize = 2;
const MUTATION: usize = 10;

/// Far more than any document may cost, and small enough to be added up without overflow.
const TOO_MUCH: usize = 1_000_000;

/// Not a type: registering it puts the costs on the fields of all types registered before.
pub struct Costs;

impl OutputType for Costs {
    fn type_name() -> Cow<'static, str> {
        "Costs".into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let leaves: HashSet<String> =
            registry.types.values().filter(|ty| ty.is_leaf()).map(|ty| ty.name().to_owned()).collect();
        let mutation = registry.mutation_type.clone();
        for ty in registry.types.values_mut() {
            let MetaType::Object { name, fields, .. } = ty else { continue };
            let part = match name.as_str() {
                name if name.starts_with("__") => continue,
                name if mutation.as_deref() == Some(name) => Part::Mutation,
                name if name.ends_with("Connection") => Part::Connection,
                _ => Part::Object,
            };
            fields.values_mut().for_each(|field| put_cost(field, part, &leaves));
        }
        Self::qualified_type_name()
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::Null)
    }
}

/// What a field is a field of.
#[derive(Clone, Copy)]
enum Part {
    Mutation,
    Connection,
    Object,
}

fn put_cost(field: &mut MetaField, of: Part, leaves: &HashSet<String>) {
    let ty = field.ty.trim_matches(['[', ']', '!']);
    field.compute_complexity = Some(match of {
        Part::Mutation => |_, _, _, asked| Ok(MUTATION + asked),
        // What is asked of the edges is counted for each of them by the connection itself.
        Part::Connection => |_, _, _, asked| Ok(asked),
        Part::Object if leaves.contains(ty) => |_, _, _, _| Ok(0),
        Part::Object if ty.ends_with("Connection") => |ctx, definitions, field, asked| {
            let first = ctx.param_value::<Option<i32>>(definitions, field, "first", None).ok().flatten();
            let items = first.and_then(|first| u64::try_from(first).ok()).unwrap_or(page::DEFAULT);
            let items = usize::try_from(items.clamp(1, page::MAX)).unwrap_or(TOO_MUCH);
            Ok(items.saturating_mul(asked.max(1)).saturating_add(CONNECTION).min(TOO_MUCH))
        },
        Part::Object => |_, _, _, asked| Ok(1 + asked),
    });
}
