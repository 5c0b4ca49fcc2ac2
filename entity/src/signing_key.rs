//! The secrets that sign notifications.

use sea_orm::entity::prelude::*;

use crate::{SigningKeyId, TargetId, Timestamp};

/// A signing key of a target. The one without an end is the current key (K3).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// `nsk_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SigningKeyId,
    /// The target whose notifications it signs.
    pub target_id: TargetId,
    /// The secret, encrypted for this row alone (K4).
    pub sealed_secret: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ceases to sign; null for the current key.
    pub expires_at: Option<Timestamp>,
    /// The target, for joins.
    #[sea_orm(belongs_to, from = "target_id", to = "id")]
    pub target: BelongsTo<super::target::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
