//! Who owns targets, events and keys: a tenant of the server.

use sea_orm::entity::prelude::*;

use crate::{OrganizationId, Timestamp};

/// An organization. Its two environments share nothing but this row.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organization")]
pub struct Model {
    /// `org_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrganizationId,
    /// The name that people know it by.
    pub display_name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
