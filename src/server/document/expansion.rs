//! How much a document may ask for, counted before the library looks at it.
//!
//! A kilobyte of fragments that spread each other can stand for millions of fields. Validator and
//! library put every spread in, and hang on such a document; here each fragment is counted once.

use std::collections::HashMap;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, ServerError};

use crate::server::document::scan;

/// How many selections the operations, or one fragment, may have with all spreads put in.
const SELECTIONS: usize = 2_000;

/// How many values an answer about the schema may have, as guessed by [`items`]. The question that
/// tools ask comes to less than half of it.
const VALUES: usize = 1_000_000;

/// How many fragments may spread each other in turn.
const CHAIN: usize = 32;

/// How deep selections may be nested, with all spreads put in: as deep as brackets, which is what they are
/// written with.
const NESTING: usize = scan::DEPTH;

/// How many fields may stand inside each other, with all spreads put in.
const FIELDS: usize = 15;

/// Refuses documents that ask for too much, or for themselves.
pub(crate) fn check(document: &ExecutableDocument) -> Result<(), ServerError> {
    let mut count = Count { document, fragments: HashMap::new(), open: Vec::new() };
    let mut sum = Size::default();
    for (_, operation) in document.operations.iter() {
        sum = sum.plus(count.selections(&operation.node.selection_set.node)?);
        sum.check()?;
    }
    // Those that nobody spreads are looked at by the library, too.
    document.fragments.keys().try_for_each(|name| count.fragment(name).map(drop))
}

/// How large something is with all spreads put in.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    selections: usize,
    values: usize,
    /// How deep its selections are nested.
    nesting: usize,
    /// How many of its fields stand inside each other.
    fields: usize,
}

impl Size {
    fn plus(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            values: self.values.saturating_add(other.values),
            nesting: self.nesting.max(other.nesting),
            fields: self.fields.max(other.fields),
        }
    }

    /// A field with these fields in it.
    fn of_field(name: &str, inner: Self) -> Self {
        let values = items(name).saturating_mul(inner.values.max(1));
        Self { values, fields: inner.fields + 1, ..inner }
    }

    fn check(self) -> Result<(), ServerError> {
        if self.selections > SELECTIONS {
            let message =
                format!("The document asks for more than {SELECTIONS} fields. Ask for less at a time.");
            return Err(error(message));
        }
        if self.values > VALUES {
            let message = format!(
                "The document asks for some {} values of the schema; at most {VALUES} may be asked for at a time.",
                self.values
            );
            return Err(error(message));
        }
        if self.fields > FIELDS {
            return Err(error(format!(
                "The document asks for fields {} deep; at most {FIELDS} may stand inside each other.",
                self.fields
            )));
        }
        if self.nesting > NESTING {
            return Err(error(format!(
                "The selections of the document are nested {} deep, with fragments put in; at most {NESTING} may be.",
                self.nesting
            )));
        }
        Ok(())
    }
}

/// How long the lists of an introspection are, roughly. Those of the API are counted by `cost`;
/// no field of it has one of these names.
fn items(field: &str) -> usize {
    match field {
        "types" => 200,
        "enumValues" | "possibleTypes" => 20,
        "fields" => 10,
        "inputFields" | "directives" | "args" => 5,
        _ => 1,
    }
}

struct Count<'a> {
    document: &'a ExecutableDocument,
    /// The fragments that were counted.
    fragments: HashMap<&'a Name, Size>,
    /// The fragments that are being counted, each inside the one before.
    open: Vec<&'a Name>,
}

impl<'a> Count<'a> {
    fn fragment(&mut self, name: &'a Name) -> Result<Size, ServerError> {
        if let Some(&counted) = self.fragments.get(name) {
            return Ok(counted);
        }
        // Unknown ones are left to validation.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Size::default()) };
        if self.open.contains(&name) {
            return Err(error(format!("The fragment {name} spreads itself.")));
        }
        if self.open.len() == CHAIN {
            return Err(error(format!("More than {CHAIN} fragments spread each other in turn.")));
        }
        self.open.push(name);
        let counted = self.selections(&fragment.node.selection_set.node)?;
        self.open.pop();
        counted.check()?;
        self.fragments.insert(name, counted);
        Ok(counted)
    }

    /// How deep selections are nested was bounded before they were parsed, and `check` bounds how large
    /// a fragment is, so neither the recursion nor the sum can grow too much.
    fn selections(&mut self, selections: &'a SelectionSet) -> Result<Size, ServerError> {
        let mut sum = Size { selections: selections.items.len(), ..Size::default() };
        for selection in &selections.items {
            sum = sum.plus(match &selection.node {
                Selection::Field(field) => {
                    let inner = self.selections(&field.node.selection_set.node)?;
                    Size::of_field(&field.node.name.node, inner)
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
            });
        }
        // A field without selections has an empty set.
        let level = usize::from(!selections.items.is_empty());
        Ok(Size { nesting: sum.nesting + level, ..sum })
    }
}

fn error(message: String) -> ServerError {
    ServerError::new(message, None)
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn is_refused(document: &str) -> bool {
        check(&parse_query(document).unwrap()).is_err()
    }

    /// Fragments, each of which spreads the next `times` times.
    fn chain(length: usize, times: usize) -> String {
        let link =
            |i: usize| format!("fragment f{i} on A {{ a {} }} ", format!("...f{} ", i + 1).repeat(times));
        let links: String = (0..length).map(link).collect();
        format!("{{ ...f0 }} {links} fragment f{length} on A {{ a }}")
    }

    #[test]
    fn ordinary_documents_pass() {
        assert!(!is_refused(
            "{ a { b } ... on A { c } ...F } fragment F on A { d ...G } fragment G on A { e }"
        ));
        assert!(!is_refused(&format!("{{ {} }}", "a ".repeat(SELECTIONS))));
        assert!(!is_refused(&chain(8, 2)));
        assert!(!is_refused("{ ...Unknown }"));
    }

    #[test]
    fn documents_that_ask_for_too_much_are_refused() {
        assert!(is_refused(&format!("{{ {} }}", "a ".repeat(SELECTIONS + 1))));
        assert!(is_refused(&format!("{{ a {{ ... {{ {} }} }} }}", "a ".repeat(SELECTIONS))));
        assert!(is_refused(&format!("query A {{ {0} }} query B {{ {0} }}", "a ".repeat(SELECTIONS / 2 + 1))));
        assert!(is_refused(&chain(30, 2)));
        assert!(is_refused(&chain(3, 50)));
    }

    #[test]
    fn deep_nesting_is_refused_with_numbers() {
        let fields = |depth: usize| format!("{{ {} a {} }}", "a {".repeat(depth - 1), "}".repeat(depth - 1));
        assert!(!is_refused(&fields(FIELDS)));
        let message = check(&parse_query(fields(FIELDS + 1)).unwrap()).unwrap_err().message;
        assert_eq!(message, "The document asks for fields 16 deep; at most 15 may stand inside each other.");

        // The library's parser follows 32 levels, and fragments make them up.
        let link = |i: usize, next: &str| {
            format!("fragment f{i} on A {{ {} {next} {} }} ", "...{".repeat(15), "}".repeat(15))
        };
        let nested = |links: usize| {
            let all: String = (0..links).map(|i| link(i, &format!("...f{}", i + 1))).collect();
            format!("{{ ...f0 }} {all} {}", link(links, "a"))
        };
        assert!(!is_refused(&nested(2)));
        let message = check(&parse_query(nested(3)).unwrap()).unwrap_err().message;
        assert!(message.contains("nested 65 deep") && message.contains("at most 64"), "{message}");
    }

    #[test]
    fn introspection_is_answered_within_limits() {
        let lists = |depth: usize| {
            format!(
                "{{ __schema {{ types {{ {} name {} }} }} }}",
                "fields { type {".repeat(depth),
                "} }".repeat(depth)
            )
        };
        assert!(!is_refused(include_str!("expansion/introspection.graphql")));
        assert!(!is_refused(&lists(2)));
        assert!(is_refused(&lists(4)));
        let aliases = "enumValues { name description } ".repeat(100);
        assert!(is_refused(&format!("{{ __schema {{ types {{ fields {{ type {{ {aliases} }} }} }} }} }}")));
    }

    #[test]
    fn fragments_in_a_circle_or_a_long_row_are_refused() {
        assert!(is_refused("{ a } fragment F on A { ...F }"));
        assert!(is_refused("{ ...F } fragment F on A { a { ...G } } fragment G on A { b { ...F } }"));
        assert!(!is_refused(&chain(CHAIN - 1, 1)));
        assert!(is_refused(&chain(CHAIN, 1)));
        assert!(is_refused(&chain(2_000, 1)));
    }
}
