//! What callers are told when something was not done.
//!
//! Broken rules and missing rights are data in the payload of a mutation (G4). What is
//! left becomes a GraphQL error with a code. Our own failures are logged here, once,
//! and told to nobody.

use async_graphql::{ErrorExtensions, SimpleObject};

use crate::error::{Error, FieldError, report};
use crate::graphql::codes;

/// The text of all our own failures.
const INTERNAL: &str =
    "Something went wrong on our side. Try again, and if it stays so, ask with the request id.";

/// The text of those after which nobody knows whether it was done.
pub(crate) const UNKNOWN: &str = "Something went wrong on our side, and it is not known whether this was done, or will be. \
     Look before you ask for it again; events that have idempotency keys can be published again as they are.";

/// Why a field is null though something was asked for.
///
/// Not displayable on purpose: async-graphql would show callers whatever is.
#[derive(Debug, Clone)]
pub struct Failure(async_graphql::Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::BadArgument(message) => coded(&message, codes::BAD_USER_INPUT),
            Error::Denied(message) => coded(&message, codes::FORBIDDEN),
            Error::Invalid(errors) => {
                let descriptions: Vec<_> = errors.into_iter().map(|error| error.description).collect();
                coded(&descriptions.join(" "), codes::BAD_USER_INPUT)
            }
            Error::Unavailable(message) => coded(&message, codes::UNAVAILABLE),
            Error::Unknown(_) => {
                report("it is not known whether a field could be resolved", &error);
                coded(UNKNOWN, codes::INTERNAL)
            }
            Error::Internal(_) => {
                report("a field could not be resolved", &error);
                coded(INTERNAL, codes::INTERNAL)
            }
        }
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

fn coded(message: &str, code: &str) -> Failure {
    Failure(async_graphql::Error::new(message).extend_with(|_, extensions| extensions.set("code", code)))
}

/// The input broke rules. Nothing was changed.
#[derive(Debug, SimpleObject)]
pub(crate) struct UserError {
    /// Every rule that was broken, not only the first one.
    errors: Option<Vec<FieldUserError>>,
}

/// One rule that a field of the input broke.
#[derive(Debug, SimpleObject)]
pub(crate) struct FieldUserError {
    /// The path to the field, without positions in lists.
    #[graphql(deprecation = "It does not tell which item of a list was wrong. Use `errorPath`.")]
    path: Option<Vec<String>>,
    /// Which rule, for programs: `NOT_FOUND` (no such thing, or not for this API key),
    /// `INVALID_NAME`, `INVALID_URI`, `INVALID_EMAIL`, `INVALID_STATE` (not possible in the present
    /// status), `LIMIT_EXCEEDED`, `INVALID_PAYLOAD`, `INVALID_COUNT` (a list is too short or too
    /// long) or `INVALID_IDEMPOTENCY_KEY`.
    code: Option<String>,
    /// What is wrong and what would be right, for people.
    description: Option<String>,
    /// The path to the field from `input` down; positions in lists are numbers from 0, as text: `["input",
    /// "targetIds", "2"]`.
    error_path: Option<Vec<String>>,
}

impl From<Vec<FieldError>> for UserError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self { errors: Some(errors.into_iter().map(FieldUserError::from).collect()) }
    }
}

impl From<FieldError> for FieldUserError {
    fn from(error: FieldError) -> Self {
        Self {
            path: Some(error.path.without_indices()),
            code: Some(error.code.as_str().to_owned()),
            description: Some(error.description),
            error_path: Some(error.path.with_indices()),
        }
    }
}

/// The API key may not do this. Nothing was changed.
#[derive(Debug, SimpleObject)]
pub(crate) struct AccessDeniedError {
    /// The reason, for people.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn our_own_failures_tell_nothing() {
        let cause =
            Err::<(), _>(anyhow::anyhow!("no such table: event")).context("reading /var/db").unwrap_err();
        let Failure(error) = Error::Internal(cause).into();
        assert_eq!(error.message, INTERNAL);
        assert_eq!(error.source.map(|_| ()), None);
    }
}
