//! What a resolver finds in its context. Schema and request were given it when
//! they were made, so it is always there.

use async_graphql::Context;

use crate::app::App;
use crate::auth::Caller;
use crate::graphql::limits::payload_budget::PayloadBudget;
use crate::graphql::loaders::Loaders;

/// What the process shares.
pub(super) fn app<'a>(ctx: &Context<'a>) -> &'a App {
    ctx.data_unchecked()
}

/// Who is asking.
pub(super) fn caller<'a>(ctx: &Context<'a>) -> &'a Caller {
    ctx.data_unchecked()
}

/// Where rows are looked up, many with one statement.
pub(super) fn loaders<'a>(ctx: &Context<'a>) -> &'a Loaders {
    ctx.data_unchecked()
}

/// What the payloads of the answer come to.
pub(super) fn weight<'a>(ctx: &Context<'a>) -> &'a PayloadBudget {
    ctx.data_unchecked()
}
