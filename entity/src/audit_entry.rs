//! Who changed what, and when. Rows are added and never touched again.

use sea_orm::entity::prelude::*;

use crate::{ApiKeyId, AuditAction, AuditEntryId, Environment, OrganizationId, Timestamp};

/// One change that somebody made.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    /// `nal_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEntryId,
    /// In whose trail it stands.
    pub organization_id: OrganizationId,
    /// In which of its two trails.
    pub environment: Environment,
    /// With which key of the scope it was done; null for whoever runs the server.
    pub api_key_id: Option<ApiKeyId>,
    /// What was done.
    pub action: AuditAction,
    /// The id of what it was done to, which may be gone by now.
    pub subject_id: String,
    /// When it was done.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
