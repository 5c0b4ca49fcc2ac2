//! The credentials of the API. The key itself is shown once and stored nowhere.

use sea_orm::entity::prelude::*;

use crate::{ApiKeyId, ApiKeyKind, Environment, OrganizationId, Timestamp};

/// An API key: it decides organization, environment and what its bearer may do.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// `key_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    /// Whose key it is.
    pub organization_id: OrganizationId,
    /// Where it acts.
    pub environment: Environment,
    /// What it is for.
    pub kind: ApiKeyKind,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the key as hex digits, by which it is found.
    #[sea_orm(unique)]
    pub hash: String,
    /// The key with all but its ends left out, for people to recognize it.
    pub redacted_key: String,
    /// When it was revoked; null while it is valid.
    pub revoked_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
