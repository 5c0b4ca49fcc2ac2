//! An API key. The key itself is in no row: only the answer that made it can show it.

use async_graphql::{ID, Object};
use entity::{ApiKeyKind, api_key};
use secrecy::{ExposeSecret, SecretString};

use crate::auth::issue_keys::Issued;

/// The row of a key and, where it was just made, the key.
#[derive(Debug, Clone)]
pub(super) struct ApiKey {
    /// The row.
    pub row: api_key::Model,
    /// The key itself.
    pub key: Option<SecretString>,
}

impl From<api_key::Model> for ApiKey {
    fn from(row: api_key::Model) -> Self {
        Self { row, key: None }
    }
}

impl From<Issued> for ApiKey {
    fn from(Issued { row, key }: Issued) -> Self {
        Self { row, key: Some(key) }
    }
}

/// A key that opens the API for one organization in one environment. It is given as the user name
/// of HTTP Basic authentication, with an empty password.
#[Object(name = "APIKey")]
impl ApiKey {
    /// The id, `key_…`.
    pub async fn id(&self) -> ID {
        self.row.id.as_str().into()
    }

    /// The name that it was given when it was made, 1 to 255 characters.
    async fn name(&self) -> Option<&str> {
        Some(&self.row.name)
    }

    /// The key itself. Only the mutation that makes it shows it; later it is null.
    async fn key(&self) -> Option<&str> {
        self.key.as_ref().map(ExposeSecret::expose_secret)
    }

    /// The key without its middle, to recognize it by.
    async fn redacted_key(&self) -> Option<&str> {
        Some(&self.row.redacted_key)
    }

    /// When the key was revoked, ISO 8601 in UTC with milliseconds; null while it is valid.
    async fn revoked_at(&self) -> Option<String> {
        self.row.revoked_at.map(|at| at.to_string())
    }

    /// When the key was made, ISO 8601 in UTC with milliseconds.
    async fn created_at(&self) -> Option<String> {
        Some(self.row.created_at.to_string())
    }

    /// Extension: what the key is for.
    async fn kind(&self) -> Option<ApiKeyKind> {
        Some(self.row.kind)
    }
}
