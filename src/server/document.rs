//! The document of a request: parsed, if that is safe and cheap, and the operation in it that is asked for.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::{Name, Positioned};
use lru::LruCache;

use crate::graphql::codes;
use crate::server::refusal::Refusal;
use crate::server::{budget, tally, tokens};

/// How many documents are kept, and how long their text may be.
const KEPT: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");
const KEPT_BYTES: usize = 4_096;

/// Recent documents. Clients ask with the same few again and again, and parsing one takes
/// as long as all else that is done to it before it is executed.
pub struct Documents(Mutex<LruCache<String, ExecutableDocument>>);

impl Default for Documents {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }
}

impl Documents {
    /// A document that the library can look at without harm.
    pub fn read(&self, query: &str) -> Result<ExecutableDocument, Refusal> {
        if let Some(document) = self.kept().get(query) {
            return Ok(document.clone());
        }
        let document = parse(query)?;
        if query.len() <= KEPT_BYTES {
            self.kept().put(query.to_owned(), document.clone());
        }
        Ok(document)
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<String, ExecutableDocument>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(query: &str) -> Result<ExecutableDocument, Refusal> {
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
