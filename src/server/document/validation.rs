//! Whether a document is valid, by all rules of the specification.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use async_graphql::{Name, Pos, ServerError};
use bluejay_core::AsIter as _;
use bluejay_core::executable::OperationDefinition as _;
use bluejay_parser::HasSpan as _;
use bluejay_parser::ast::definition::{DefinitionDocument, SchemaDefinition};
use bluejay_parser::ast::executable::{ExecutableDocument, Selection, SelectionSet};
use bluejay_parser::ast::{Parse as _, ParseOptions};
use bluejay_parser::error::Error;
use bluejay_validator::executable::Cache;
use bluejay_validator::executable::document::BuiltinRulesValidator;

use crate::graphql;
use crate::server::document::scan;
use crate::server::document::types::{Types, base};

/// How many errors are told: thousands would help nobody, and each has to be located.
const ERRORS: usize = 50;

/// How deep the parser's tree may be. It puts up to five nodes around what stands in a bracket.
const TREE_DEPTH: usize = 5 * scan::DEPTH;

/// What async-graphql serves and the validator does not know, as it goes by an older specification.
const UNKNOWN: [(&str, &str); 3] =
    [("__Type", "isOneOf"), ("__InputValue", "isDeprecated"), ("__InputValue", "deprecationReason")];

/// The schema, which is that of the process and never changes.
static SCHEMA: LazyLock<SchemaDefinition<'static>> = LazyLock::new(|| {
    let sdl: &'static str = Box::leak(graphql::printed().into_boxed_str());
    let document = DefinitionDocument::parse(sdl).result.expect("the printed schema can be parsed");
    let document: &'static DefinitionDocument<'static> = Box::leak(Box::new(document));
    SchemaDefinition::try_from(document).expect("the printed schema is one")
});

/// Reads the schema, so that the first request need not wait for it.
pub(crate) fn warm_up() {
    LazyLock::force(&SCHEMA);
}

/// Parses a document.
pub(crate) fn parse(text: &str) -> Result<ExecutableDocument<'_>, Vec<ServerError>> {
    let options = ParseOptions {
        graphql_ruby_compatibility: false,
        max_depth: TREE_DEPTH,
        max_tokens: Some(scan::TOKENS),
    };
    let parsed = ExecutableDocument::parse_with_options(text, options).result;
    parsed.map_err(|errors| errors.into_iter().take(ERRORS).map(|error| told(text, error, true)).collect())
}

/// Refuses a document that breaks a rule. It must have been bounded before: fragments that spread
/// each other are put in here, again and again.
pub(crate) fn check(
    text: &str,
    document: &ExecutableDocument<'_>,
    types: &Types,
) -> Result<(), Vec<ServerError>> {
    match known(text, document, types) {
        Cow::Borrowed(_) => check_known(text, document),
        // Errors behind a stand-in are told with a column that is off; what they say is right.
        Cow::Owned(text) => check_known(&text, &parse(&text)?),
    }
}

fn check_known(text: &str, document: &ExecutableDocument<'_>) -> Result<(), Vec<ServerError>> {
    let schema: &SchemaDefinition<'_> = &SCHEMA;
    let cache = Cache::new(document, schema);
    let errors = BuiltinRulesValidator::validate(document, schema, &cache);
    let errors: Vec<_> = errors.take(ERRORS).map(|error| told(text, error.into(), false)).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The document with `__typename` in the place of those fields that the validator does not know. Like
/// them it takes no arguments, has no fields, and bears any alias and directive.
fn known<'a>(text: &'a str, document: &ExecutableDocument<'_>, types: &Types) -> Cow<'a, str> {
    let mut found = Unknown { types, places: Vec::new() };
    for operation in document.operation_definitions() {
        let kind = match operation.as_ref().operation_type() {
            bluejay_core::OperationType::Query => async_graphql::parser::types::OperationType::Query,
            _ => continue,
        };
        found.look(operation.selection_set(), types.root(kind).map(Name::as_str));
    }
    for fragment in document.fragment_definitions() {
        let on = fragment.type_condition().named_type();
        found.look(fragment.selection_set(), Some(on.as_str()));
    }
    if found.places.is_empty() {
        return Cow::Borrowed(text);
    }
    found.places.sort_by_key(|(range, _)| range.start);
    let (mut replaced, mut end) = (String::with_capacity(text.len() * 2), 0);
    for (range, key) in found.places {
        replaced.push_str(&text[end..range.start]);
        replaced.push_str(&key);
        replaced.push_str(":__typename");
        end = range.end;
    }
    replaced.push_str(&text[end..]);
    Cow::Owned(replaced)
}

struct Unknown<'a> {
    types: &'a Types,
    /// Where alias and name of such a field stand, and by which key it is answered.
    places: Vec<(Range<usize>, String)>,
}

impl Unknown<'_> {
    fn look(&mut self, set: &SelectionSet<'_>, of: Option<&str>) {
        for selection in set.iter() {
            match selection {
                Selection::Field(field) => {
                    let name = field.name().as_str();
                    if of.is_some_and(|of| UNKNOWN.contains(&(of, name))) {
                        let range = field.span().byte_range().start..field.name().span().byte_range().end;
                        self.places.push((range, field.response_key().to_owned()));
                    }
                    let output = of.and_then(|of| self.types.output(of, name));
                    if let Some(set) = field.selection_set() {
                        self.look(set, output.map(|output| base(&output.ty).as_str()));
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let on = fragment.type_condition().map(|condition| condition.named_type().as_ref());
                    self.look(fragment.selection_set(), on.or(of));
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

/// An error in the library's form. What a parser found is of use only with the place and what it
/// found there; a rule says all in its first words.
fn told(text: &str, error: Error, with_details: bool) -> ServerError {
    let mut message = error.message().to_owned();
    let located = Error::into_graphql_errors(text, [error]);
    if let Some(detail) = located.first().filter(|_| with_details).map(|error| &error.message)
        && *detail != message
    {
        message = format!("{message}: {detail}");
    }
    let locations = located.into_iter().flat_map(|error| error.locations);
    let locations = locations.map(|at| Pos { line: at.line, column: at.col }).collect();
    let mut error = ServerError::new(message, None);
    error.locations = locations;
    error
}
