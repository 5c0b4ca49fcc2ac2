//! The GraphQL API: what API users ask and change, in the words of the contract.
//!
//! A resolver is four steps: parse, rule, store, payload. Descriptions of types and fields are the
//! API's documentation; what is ours and not Highnote's begins with "Extension:". Nullable
//! fields answer `Option<Result<…>>`: with it the other way round, async-graphql would drop
//! the field from the answer instead of making it null.

mod api_key;
mod attempt;
mod audit;
pub(crate) mod codes;
mod context;
pub(crate) mod errors;
mod event;
mod event_node;
mod filter;
mod introspection;
pub mod json;
pub(crate) mod limits;
mod loaders;
mod mutation;
mod node;
mod organization;
mod page;
mod payload;
mod query;
mod signing_key;
mod status_history;
mod target;
mod target_event;

use std::sync::Arc;

use async_graphql::{EmptySubscription, Request, SDLExportOptions, SchemaBuilder, ValidationMode};

use crate::app::App;
use crate::auth::Caller;
use crate::quota::memory::Share;

pub use mutation::Mutation;
pub use query::Query;

/// How deep the library follows selections. The server's own limit is lower, and told with numbers.
const RECURSION: usize = 128;

/// The schema of the API.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// The schema, ready to execute what [`prepare`] has prepared. The library validates nothing and counts nothing:
/// only documents that the server's validator has let through, merged and paid for, may come here.
pub fn schema(app: App) -> Schema {
    builder().data(app).finish()
}

/// The text of the schema. It changes only when the schema does.
pub fn sdl() -> String {
    let described = format!("\n\"\"\"\n{}\n\"\"\"\nschema {{", introspection::DESCRIPTION);
    printed().replacen("\nschema {", &described, 1)
}

/// The schema as the library prints it, which leaves out its description.
pub(crate) fn printed() -> String {
    let options = SDLExportOptions::new().use_space_ident().prefer_single_line_descriptions();
    builder().finish().sdl_with_options(options)
}

/// Attaches what a request needs: the caller, fresh loaders within his scope, and what it may hold.
pub fn prepare(request: Request, app: &App, caller: Caller, share: &Arc<Share>) -> Request {
    let loaders = loaders::new(app.clone(), caller.scope.clone(), Arc::clone(share));
    request.data(caller).data(loaders).data(limits::payload_budget::PayloadBudget::new(Arc::clone(share)))
}

fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation::default(), EmptySubscription)
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(RECURSION)
        .extension(introspection::Described)
        .extension(codes::Codes)
}

#[cfg(test)]
mod tests;
