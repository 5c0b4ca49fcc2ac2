//! The history of a target's status (T8).

use sea_orm::entity::prelude::*;

use crate::{StatusChangeId, TargetId, TargetStatus, Timestamp};

/// One change of a target's status.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "status_change")]
pub struct Model {
    /// `nsh_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StatusChangeId,
    /// Whose status changed.
    pub target_id: TargetId,
    /// The status before; null for the row that tells of the beginning.
    pub previous_status: Option<TargetStatus>,
    /// The status after.
    pub new_status: TargetStatus,
    /// When it changed.
    pub created_at: Timestamp,
    /// The target, for joins.
    #[sea_orm(belongs_to, from = "target_id", to = "id")]
    pub target: BelongsTo<super::target::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
