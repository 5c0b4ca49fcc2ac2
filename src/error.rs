//! What can go wrong, in the ways that a caller can tell apart.
//!
//! Broken rules, arguments that cannot be used and missing rights are answers; everything
//! else is our own failure: logged once, where the request ends, with the request id, and told to nobody.

mod report;

use std::fmt;

use sea_orm::DbErr;

pub(crate) use report::{causes, report};

/// The outcome of anything that may fail.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request was not carried out. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks rules, each of which is named (G4).
    #[error("invalid input: {0:?}")]
    Invalid(Vec<FieldError>),
    /// An argument of a list cannot be used: a page size, a cursor, a filter (G8, G10).
    #[error("bad argument: {0}")]
    BadArgument(String),
    /// The key may not do this.
    #[error("access denied: {0}")]
    Denied(String),
    /// There is no room for it, or we did not get to it. It was not done, and may be tried again.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Our own failure, in the midst of it: it may have been done, or may still be.
    #[error("{0:#}; it is not known whether it was done")]
    Unknown(anyhow::Error),
    /// Our own failure. It was not done.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl Error {
    /// One broken rule.
    pub fn invalid(violation: Violation, path: impl Into<Path>) -> Self {
        Self::Invalid(vec![violation.at(path)])
    }

    /// The same failure, where it does not say that nothing was done.
    #[must_use]
    pub fn in_doubt(self) -> Self {
        match self {
            Self::Internal(error) => Self::Unknown(error),
            other => other,
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Internal(error.into())
    }
}

/// The codes of broken rules (G5): all that `FieldUserError.code` can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// No such thing exists, or not for this key.
    NotFound,
    /// A name is empty, too long, has unprintable characters, or is not for this use.
    InvalidName,
    /// A URI cannot be a target's.
    InvalidUri,
    /// An email address is malformed.
    InvalidEmail,
    /// The thing is in a state that does not allow this.
    InvalidState,
    /// There are as many as there may be.
    LimitExceeded,
    /// A payload is no JSON object with a usable `__typename`.
    InvalidPayload,
    /// A list has too few or too many items.
    InvalidCount,
    /// An idempotency key is empty, too long or has unprintable characters.
    InvalidIdempotencyKey,
}

impl Code {
    /// The code as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "NOT_FOUND",
            Self::InvalidName => "INVALID_NAME",
            Self::InvalidUri => "INVALID_URI",
            Self::InvalidEmail => "INVALID_EMAIL",
            Self::InvalidState => "INVALID_STATE",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::InvalidPayload => "INVALID_PAYLOAD",
            Self::InvalidCount => "INVALID_COUNT",
            Self::InvalidIdempotencyKey => "INVALID_IDEMPOTENCY_KEY",
        }
    }
}

/// A broken rule, before it is known which field broke it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub code: Code,
    /// What was wrong and what would be right, for people.
    pub description: String,
}

impl Violation {
    /// A violation of the rule behind `code`.
    pub fn new(code: Code, description: impl Into<String>) -> Self {
        Self { code, description: description.into() }
    }

    /// Names the field that broke the rule.
    pub fn at(self, path: impl Into<Path>) -> FieldError {
        FieldError { code: self.code, description: self.description, path: path.into() }
    }
}

/// A broken rule and the field that broke it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Which rule.
    pub code: Code,
    /// What was wrong and what would be right, for people.
    pub description: String,
    /// Where.
    pub path: Path,
}

/// The broken rules of one input, gathered so that all are told at once (G4).
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<FieldError>);

impl Violations {
    /// Notes what is wrong with a field; or answers what was checked, if nothing is.
    pub(crate) fn check<T>(&mut self, path: impl Into<Path>, checked: Result<T, Violation>) -> Option<T> {
        checked.map_err(|violation| self.0.push(violation.at(path))).ok()
    }

    /// The last thing that was asked for, unless it or anything before broke a rule.
    pub(crate) fn join<T>(mut self, last: Result<T>) -> Result<T> {
        match last {
            Ok(value) if self.0.is_empty() => return Ok(value),
            Ok(_) => {}
            Err(Error::Invalid(errors)) => self.0.extend(errors),
            Err(error) => return Err(error),
        }
        Err(Error::Invalid(self.0))
    }
}

/// The way to a field of the input: `input`, names of fields, and indices of lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(&'static str),
    Index(usize),
}

impl Path {
    /// The way to the input as a whole.
    pub fn input() -> Self {
        Self(vec![Step::Field("input")])
    }

    /// The way to `field` of the item at `index` of this list.
    #[must_use]
    pub fn item(mut self, index: usize, field: impl Into<Option<&'static str>>) -> Self {
        self.0.push(Step::Index(index));
        self.0.extend(field.into().map(Step::Field));
        self
    }

    /// The way to `field` of this object.
    #[must_use]
    pub fn field(mut self, field: &'static str) -> Self {
        self.0.push(Step::Field(field));
        self
    }

    /// Every step as text: `["input", "targetIds", "2"]`.
    pub fn with_indices(&self) -> Vec<String> {
        self.0.iter().map(Step::to_string).collect()
    }

    /// The steps that are names: `["input", "targetIds"]`.
    pub fn without_indices(&self) -> Vec<String> {
        self.0.iter().filter(|step| matches!(step, Step::Field(_))).map(Step::to_string).collect()
    }
}

impl From<&'static str> for Path {
    /// The way to a field of `input`.
    fn from(field: &'static str) -> Self {
        Self::input().field(field)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Index(index) => index.fmt(f),
        }
    }
}
