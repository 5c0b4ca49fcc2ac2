//! The codes of errors: all that `extensions.code` can say, here and in HTTP.
//!
//! The extension gives one to the errors that async-graphql itself makes, so that every error has one.

use std::sync::Arc;

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextRequest};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Response, ServerError, ServerResult, Variables};

/// The request is no GraphQL request in JSON.
pub(crate) const BAD_REQUEST: &str = "BAD_REQUEST";
/// An argument, cursor or filter cannot be used.
pub(crate) const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
/// The key may not do this.
pub(crate) const FORBIDDEN: &str = "FORBIDDEN";
/// The document is no GraphQL.
pub(crate) const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The document or its variables do not fit the schema, or ask for too much.
pub(crate) const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// The fault is ours.
pub(crate) const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
/// The path does not take requests of this method.
pub(crate) const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
/// No form of answer that the client accepts.
pub(crate) const NOT_ACCEPTABLE: &str = "NOT_ACCEPTABLE";
/// The body was changed on its way in a manner that is not undone here.
pub(crate) const NOT_IMPLEMENTED: &str = "NOT_IMPLEMENTED";
/// Nothing is at this path.
pub(crate) const NOT_FOUND: &str = "NOT_FOUND";
/// No documents are kept here by their hash. Clients know this code, and send the text.
pub(crate) const PERSISTED_QUERY_NOT_SUPPORTED: &str = "PERSISTED_QUERY_NOT_SUPPORTED";
/// The body is too long.
pub(crate) const TOO_LARGE: &str = "PAYLOAD_TOO_LARGE";
/// Too many requests, points or failed logins.
pub(crate) const RATE_LIMITED: &str = "RATE_LIMITED";
/// The body did not come in time.
pub(crate) const TIMEOUT: &str = "TIMEOUT";
/// There is no room for the request.
pub(crate) const UNAVAILABLE: &str = "SERVICE_UNAVAILABLE";
/// No valid key.
pub(crate) const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
/// The body is no plain JSON in UTF-8.
pub(crate) const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";

/// The extension of the schema.
pub(crate) struct Codes;

impl ExtensionFactory for Codes {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for Codes {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let mut response = next.run(ctx).await;
        for error in &mut response.errors {
            set(error, BAD_USER_INPUT);
        }
        response
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        next.run(ctx, query, variables).await.map_err(|mut error| {
            set(&mut error, PARSE_FAILED);
            error
        })
    }
}

/// Gives a code to an error that has none.
pub(crate) fn set(error: &mut ServerError, code: &str) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
}
