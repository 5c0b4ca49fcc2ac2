//! An entry of the audit trail, an extension of ours.

use async_graphql::{Context, ID, Object};
use entity::{AuditAction, audit_entry};

use crate::graphql::api_key::ApiKey;
use crate::graphql::context::loaders;
use crate::graphql::errors::Failure;

/// The row of an entry.
#[derive(Debug, Clone)]
pub(super) struct AuditEntry(audit_entry::Model);

impl From<audit_entry::Model> for AuditEntry {
    fn from(row: audit_entry::Model) -> Self {
        Self(row)
    }
}

/// Extension: one change that somebody made. Entries are only added, never changed or removed.
#[Object]
impl AuditEntry {
    /// Extension: the id, `nal_…`.
    async fn id(&self) -> ID {
        self.0.id.as_str().into()
    }

    /// Extension: what was done.
    async fn action(&self) -> Option<AuditAction> {
        Some(self.0.action)
    }

    /// Extension: the API key that did it; null if it was done on the server's command line, or when the
    /// organization was created.
    async fn api_key(&self, ctx: &Context<'_>) -> Option<Result<ApiKey, Failure>> {
        let key = loaders(ctx).load_one(self.0.api_key_id.clone()?).await.transpose()?;
        Some(key.map(ApiKey::from))
    }

    /// Extension: the id of what was changed: a target, event, API key or organization. It may be gone
    /// since.
    async fn subject_id(&self) -> Option<ID> {
        Some(self.0.subject_id.as_str().into())
    }

    /// Extension: when it was done, ISO 8601 in UTC with milliseconds.
    async fn created_at(&self) -> Option<String> {
        Some(self.0.created_at.to_string())
    }
}
