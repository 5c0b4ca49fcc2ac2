//! The document of a request: parsed, if that is safe and cheap, validated, and made ready to be executed.
//!
//! What a document must pass, in this order: `scan` looks at its text, the parser reads it, `counts` and
//! `expansion` count what it asks for, the validator puts its fragments in. What passed is kept. For each request
//! the variables are coerced and the fields of the operation merged; that is what is executed, and what its
//! class and its cost are told from.

mod arguments;
mod blanks;
pub(in crate::server) mod class;
mod coercion;
mod conversion;
pub(in crate::server) mod cost;
mod counts;
pub(in crate::server) mod expansion;
mod literals;
mod merging;
mod order;
mod positions;
pub(in crate::server) mod scan;
pub(in crate::server) mod types;
pub(in crate::server) mod validation;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Name, Positioned, Request, ServerError, Value};
use lru::LruCache;
use parking_lot::{Mutex, MutexGuard};

use crate::graphql::limits::footprint;
use crate::graphql::{self, codes};
use crate::quota::RequestClass;
use crate::server::response::observe;
use crate::server::response::refusal::Refusal;
use blanks::Blanks;
use order::Order;
use types::Types;

/// How many documents are kept, and how long their text may be.
const KEPT: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");
const KEPT_BYTES: usize = 4_096;

/// Recent documents. Clients ask with the same few again and again, and reading one takes
/// as long as all else that is done to it before it is executed.
pub struct Documents {
    kept: Mutex<LruCache<String, Arc<ExecutableDocument>>>,
    types: Types,
}

/// What is known of a request whose document can be executed.
#[derive(Debug)]
pub struct Prepared {
    /// What the request is counted as.
    pub class: RequestClass,
    /// How many events it publishes.
    pub events: usize,
    /// What it costs besides, in points.
    pub complexity: usize,
    /// How much memory it may hold while it is executed.
    pub footprint: usize,
    /// Whether it may change something.
    pub changes: bool,
    /// What its answer is to look like.
    pub shape: Shape,
}

/// What the library leaves to be done to an answer.
#[derive(Debug)]
pub struct Shape {
    blanks: Blanks,
    order: Order,
}

impl Shape {
    /// Takes out what nobody asked for, and puts the keys in the order of the document.
    pub fn give(&self, answer: &mut Value) {
        self.blanks.remove_from(answer);
        self.order.put(answer);
    }
}

impl Default for Documents {
    fn default() -> Self {
        validation::warm_up();
        Self { kept: Mutex::new(LruCache::new(KEPT)), types: Types::of_schema(&graphql::printed()) }
    }
}

impl Documents {
    /// Makes a request ready to be executed: gives it its operation, merged, and its variables, coerced.
    ///
    /// # Errors
    /// When the document or the variables are not valid, or too much is asked for.
    pub fn prepare(&self, request: &mut Request) -> Result<Prepared, Refusal> {
        let document = self.read(&request.query)?;
        let (name, operation) = select(&document, request.operation_name.as_deref())?;
        observe::name_operation(name.map_or("anonymous", Name::as_str));
        coercion::coerce(&self.types, &operation.node, &mut request.variables).map_err(invalid)?;
        let (merged, blanks) =
            merging::merge(&document, &operation.node, &self.types, Some(&request.variables))
                .map_err(invalid)?;
        let order =
            order::of(&document, &operation.node, &self.types, &request.variables).map_err(invalid)?;
        let (class, events) = class::of(&merged, &request.variables);
        let complexity = cost::of(&merged, &self.types, &request.variables);
        let footprint = footprint::of(&merged, complexity);
        let changes = merged.ty == OperationType::Mutation;
        let merged = Positioned::new(merged, operation.pos);
        request.set_parsed_query(ExecutableDocument {
            operations: match name {
                Some(name) => DocumentOperations::Multiple([(name.clone(), merged)].into()),
                None => DocumentOperations::Single(merged),
            },
            fragments: HashMap::new(),
        });
        let shape = Shape { blanks, order };
        Ok(Prepared { class, events, complexity, footprint, changes, shape })
    }

    /// A document that is valid, and that the library can look at without harm.
    fn read(&self, query: &str) -> Result<Arc<ExecutableDocument>, Refusal> {
        if let Some(document) = self.kept().get(query) {
            return Ok(document.clone());
        }
        let document = Arc::new(self.parse(query)?);
        if query.len() <= KEPT_BYTES {
            self.kept().put(query.to_owned(), document.clone());
        }
        Ok(document)
    }

    fn parse(&self, query: &str) -> Result<ExecutableDocument, Refusal> {
        scan::check(query).map_err(invalid)?;
        let tree =
            validation::parse(query).map_err(|errors| Refusal::of_document(errors, codes::PARSE_FAILED))?;
        let document = conversion::convert(query, &tree, &self.types).map_err(invalid)?;
        counts::check(&document).map_err(invalid)?;
        expansion::check(&document).map_err(invalid)?;
        validation::check(query, &tree, &self.types)
            .map_err(|errors| Refusal::of_document(errors, codes::VALIDATION_FAILED))?;
        merging::check(&document, &self.types).map_err(invalid)?;
        Ok(document)
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<String, Arc<ExecutableDocument>>> {
        self.kept.lock()
    }
}

/// The operation that is to be executed.
fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<(Option<&'a Name>, &'a Positioned<OperationDefinition>), Refusal> {
    let unclear =
        |message: String| Refusal::of_document(vec![ServerError::new(message, None)], codes::BAD_USER_INPUT);
    let mut operations = document.operations.iter();
    match name {
        Some(wanted) => operations
            .find(|(name, _)| name.is_some_and(|name| name == wanted))
            .ok_or_else(|| unclear(format!("The document has no operation {wanted}."))),
        None => match (operations.next(), operations.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(unclear("The document has several operations. Name one as `operationName`.".to_owned())),
        },
    }
}

fn invalid(error: ServerError) -> Refusal {
    Refusal::of_document(vec![error], codes::VALIDATION_FAILED)
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;
