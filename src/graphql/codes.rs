//! The codes of errors: all that `extensions.code` can say, here and in HTTP.
//!
//! The extension gives one to the errors that async-graphql itself makes, so that every error has one.

use std::sync::Arc;

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextRequest};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Response, ServerError, ServerResult, Variables};

/// The request is no GraphQL request in JSON.
pub const BAD_REQUEST: &str = "BAD_REQUEST";
/// An argument, cursor or filter cannot be used.
pub const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
/// The key may not do this.
pub const FORBIDDEN: &str = "FORBIDDEN";
/// The document is no GraphQL.
pub const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The document or its variables do not fit the schema, or ask for too much.
pub const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// The fault is ours.
pub const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
/// The path does not take requests of this method.
pub const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
/// No form of answer that the client accepts.
pub const NOT_ACCEPTABLE: &str = "NOT_ACCEPTABLE";
/// The body was changed on its way in a manner that is not undone here.
pub const NOT_IMPLEMENTED: &str = "NOT_IMPLEMENTED";
/// Nothing is at this path.
pub const NOT_FOUND: &str = "NOT_FOUND";
/// No documents are kept here by their hash. Clients know this code, and send the text.
pub const PERSISTED_QUERY_NOT_SUPPORTED: &str = "PERSISTED_QUERY_NOT_SUPPORTED";
/// The body is too long.
pub const TOO_LARGE: &str = "PAYLOAD_TOO_LARGE";
/// Too many requests, points or failed logins.
pub const RATE_LIMITED: &str = "RATE_LIMITED";
/// The body did not come in time.
pub const TIMEOUT: &str = "TIMEOUT";
/// There is no room for the request.
pub const UNAVAILABLE: &str = "SERVICE_UNAVAILABLE";
/// No valid key.
pub const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
/// The body is no plain JSON in UTF-8.
pub const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";

/// The extension of the schema.
pub struct Codes;

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
pub fn set(error: &mut ServerError, code: &str) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
}
