//! Which target wants to hear of which events: a set of pairs (T13).

use sea_orm::entity::prelude::*;

use crate::{NotificationEventName, TargetId};

/// A subscription of a target to an event name.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription")]
pub struct Model {
    /// The target.
    #[sea_orm(primary_key, auto_increment = false)]
    pub target_id: TargetId,
    /// The name that it wants to hear of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_name: NotificationEventName,
    /// The target, for joins.
    #[sea_orm(belongs_to, from = "target_id", to = "id")]
    pub target: BelongsTo<super::target::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
