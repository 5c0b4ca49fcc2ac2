//! The audit trail: who changed what, and when.
//!
//! An entry is written in the transaction of its change, so there is neither without
//! the other. There is no statement here that changes or removes one.

use entity::{ApiKeyId, AuditAction, AuditEntryId, Timestamp, audit_entry};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::error::Result;
use crate::store::Scope;

/// What there is to note.
#[derive(Debug)]
pub struct Note<'a> {
    /// With which key; none for the operator of the server.
    pub key: Option<&'a ApiKeyId>,
    /// What was done.
    pub action: AuditAction,
    /// The id of what it was done to.
    pub subject: String,
}

/// Adds an entry to the trail of the scope.
pub async fn add(tx: &impl ConnectionTrait, scope: &Scope, note: Note<'_>, now: Timestamp) -> Result<()> {
    let row = audit_entry::Model {
        id: AuditEntryId::new(now),
        organization_id: scope.organization.clone(),
        environment: scope.environment,
        api_key_id: note.key.cloned(),
        action: note.action,
        subject_id: note.subject,
        created_at: now,
    };
    audit_entry::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(())
}
