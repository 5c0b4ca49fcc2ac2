//! Places of an answer where nothing is asked for.
//!
//! Such an object is answered as `{}`, and the library would say `null`. There a field is asked for
//! under a key that no document can write, and taken out of the answer.

use async_graphql::parser::types::{Field, Selection};
use async_graphql::{Name, Pos, Positioned, Value};

/// The key of what nobody asked for. No document can write it.
const BLANK: &str = "";

/// Where an answer holds what nobody asked for: ways of keys from its root.
#[derive(Debug, Default)]
pub(super) struct Blanks(Vec<Vec<Name>>);

impl Blanks {
    /// Remembers that something is asked for at the end of this way, and says what.
    pub(super) fn add(&mut self, way: &[Name]) -> Positioned<Selection> {
        self.0.push(way.to_vec());
        let field = Field {
            alias: Some(Positioned::new(Name::new(BLANK), Pos::default())),
            name: Positioned::new(Name::new("__typename"), Pos::default()),
            arguments: Vec::new(),
            directives: Vec::new(),
            selection_set: Positioned::default(),
        };
        Positioned::new(Selection::Field(Positioned::new(field, Pos::default())), Pos::default())
    }

    /// Takes it out of the answer.
    pub(super) fn remove_from(&self, answer: &mut Value) {
        self.0.iter().for_each(|way| remove(answer, way));
    }
}

fn remove(value: &mut Value, way: &[Name]) {
    match (value, way) {
        (Value::List(items), way) => items.iter_mut().for_each(|item| remove(item, way)),
        (Value::Object(fields), []) => drop(fields.shift_remove(BLANK)),
        (Value::Object(fields), [next, way @ ..]) => {
            if let Some(value) = fields.get_mut(next) {
                remove(value, way);
            }
        }
        _ => {}
    }
}
