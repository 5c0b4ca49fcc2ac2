//! The document of a request: parsed, if that is safe and cheap, and the operation in it that is asked for.

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::{Name, Positioned};

use crate::graphql::codes;
use crate::server::refusal::Refusal;
use crate::server::{budget, tally, tokens};

/// A document that the library can look at without harm.
pub fn parse(query: &str) -> Result<ExecutableDocument, Refusal> {
    let invalid = |error| Refusal::of_document(vec![error], codes::VALIDATION_FAILED);
    tokens::check(query).map_err(invalid)?;
    let document =
        parse_query(query).map_err(|error| Refusal::of_document(vec![error.into()], codes::PARSE_FAILED))?;
    tally::check(&document).map_err(invalid)?;
    budget::check(&document).map_err(invalid)?;
    Ok(document)
}

/// The operation that will be executed, if it is clear which.
pub fn selected<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Option<(Option<&'a str>, &'a Positioned<OperationDefinition>)> {
    let operations = document.operations.iter();
    let mut operations = operations.map(|(name, operation)| (name.map(Name::as_str), operation));
    match (&document.operations, name) {
        (DocumentOperations::Multiple(all), None) if all.len() > 1 => None,
        (_, None) => operations.next(),
        (_, Some(wanted)) => operations.find(|(name, _)| *name == Some(wanted)),
    }
}
