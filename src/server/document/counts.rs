//! What a document may consist of, counted as it is written.
//!
//! Each number is far above what people and tools write, and bounds something that the
//! library compares with all the others.

use async_graphql::ServerError;
use async_graphql::parser::types::{Directive, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value};
use async_graphql_value::Value as Given;

const OPERATIONS: usize = 50;
const FRAGMENTS: usize = 200;
const ALIASES: usize = 100;
const DIRECTIVES: usize = 200;
const VARIABLES: usize = 200;
/// Of one field or directive.
const ARGUMENTS: usize = 50;
/// The items of all lists and the fields of all objects that are written out.
const VALUES: usize = 2_000;

/// Refuses documents with too much of anything.
pub(super) fn check(document: &ExecutableDocument) -> Result<(), ServerError> {
    let mut counts = Counts::default();
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        counts.operations += 1;
        counts.variables += operation.variable_definitions.len();
        for variable in &operation.variable_definitions {
            counts.add_directives(&variable.node.directives);
            counts.values += variable.node.default_value.as_ref().map_or(0, |value| constants(&value.node));
        }
        counts.add_directives(&operation.directives);
        counts.add_selections(&operation.selection_set.node);
    }
    for fragment in document.fragments.values() {
        counts.fragments += 1;
        counts.add_directives(&fragment.node.directives);
        counts.add_selections(&fragment.node.selection_set.node);
    }
    counts.check()
}

#[derive(Debug, Default)]
struct Counts {
    operations: usize,
    fragments: usize,
    aliases: usize,
    directives: usize,
    variables: usize,
    /// The longest list of them.
    arguments: usize,
    values: usize,
}

impl Counts {
    fn check(&self) -> Result<(), ServerError> {
        for (what, number, most) in [
            ("operations", self.operations, OPERATIONS),
            ("fragments", self.fragments, FRAGMENTS),
            ("aliases", self.aliases, ALIASES),
            ("directives", self.directives, DIRECTIVES),
            ("variables", self.variables, VARIABLES),
            ("arguments of one field", self.arguments, ARGUMENTS),
            ("values in lists and objects; give them as variables", self.values, VALUES),
        ] {
            if number > most {
                let message = format!("The document has more than {most} {what}.");
                return Err(ServerError::new(message, None));
            }
        }
        Ok(())
    }

    fn add_selections(&mut self, selections: &SelectionSet) {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.node.alias.is_some());
                    self.add_arguments(&field.node.arguments);
                    self.add_directives(&field.node.directives);
                    self.add_selections(&field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => {
                    self.add_directives(&fragment.node.directives);
                    self.add_selections(&fragment.node.selection_set.node);
                }
                Selection::FragmentSpread(spread) => self.add_directives(&spread.node.directives),
            }
        }
    }

    fn add_directives(&mut self, directives: &[Positioned<Directive>]) {
        self.directives += directives.len();
        for directive in directives {
            self.add_arguments(&directive.node.arguments);
        }
    }

    fn add_arguments(&mut self, arguments: &[(Positioned<Name>, Positioned<Given>)]) {
        self.arguments = self.arguments.max(arguments.len());
        self.values += arguments.iter().map(|(_, value)| values(&value.node)).sum::<usize>();
    }
}

/// How many values a literal holds. How deep they are nested was bounded before they were parsed.
fn values(value: &Given) -> usize {
    match value {
        Given::List(items) => items.len() + items.iter().map(values).sum::<usize>(),
        Given::Object(fields) => fields.len() + fields.values().map(values).sum::<usize>(),
        _ => 0,
    }
}

fn constants(value: &Value) -> usize {
    match value {
        Value::List(items) => items.len() + items.iter().map(constants).sum::<usize>(),
        Value::Object(fields) => fields.len() + fields.values().map(constants).sum::<usize>(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    /// How many there may be, and a document with so many.
    type Case = (usize, fn(usize) -> String);

    fn many(number: usize, part: fn(usize) -> String) -> String {
        (0..number).map(part).collect()
    }

    fn is_refused(document: &str) -> bool {
        check(&parse_query(document).unwrap()).is_err()
    }

    #[test]
    fn each_of_them_is_bounded() {
        let cases: [Case; 11] = [
            (OPERATIONS, |n| many(n, |i| format!("query q{i} {{ a }} "))),
            (FRAGMENTS, |n| format!("{{ a }} {}", many(n, |i| format!("fragment f{i} on A {{ a }} ")))),
            (ALIASES, |n| format!("{{ {} }}", many(n, |i| format!("a{i}: a ")))),
            (ALIASES, |n| format!("{{ b {{ ... {{ {} }} }} }}", many(n, |i| format!("a{i}: a ")))),
            (DIRECTIVES, |n| format!("{{ a {} }}", "@d ".repeat(n))),
            (DIRECTIVES, |n| format!("query ($a: A {0}) {{ a }}", "@d ".repeat(n))),
            (DIRECTIVES, |n| format!("{{ a ...F {0} }} fragment F on A {{ a }}", "@d ".repeat(n))),
            (VARIABLES, |n| format!("query ({}) {{ a }}", many(n, |i| format!("$v{i}: A ")))),
            (ARGUMENTS, |n| format!("{{ a({}) }}", many(n, |i| format!("a{i}: 1 ")))),
            (VALUES, |n| format!("{{ a(b: [{}]) }}", "1 ".repeat(n))),
            (VALUES, |n| format!("query ($a: A = {{ a: [{}] }}) {{ a }}", "1 ".repeat(n - 1))),
        ];
        for (most, document) in cases {
            assert!(!is_refused(&document(most)), "{:.60}", document(most));
            assert!(is_refused(&document(most + 1)), "{:.60}", document(most + 1));
        }
    }
}
