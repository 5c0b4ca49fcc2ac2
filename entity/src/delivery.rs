//! The work to be done: one event to be brought to one target.

use sea_orm::entity::prelude::*;

use crate::{DeliveryState, EventId, Purpose, TargetId, Timestamp};

/// A delivery of an event to a target: scheduled while `due_at` is set, ended when it is null.
///
/// A worker claims it by moving `due_at` to the end of its lease: if the worker
/// dies, the row is due again then. `claim` counts the claims, so a result counts
/// only as long as nobody else has claimed the row since, and nobody has replayed it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    /// The event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: EventId,
    /// The target.
    #[sea_orm(primary_key, auto_increment = false)]
    pub target_id: TargetId,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: DeliveryState,
    /// Whether somebody asked for it by hand (R3).
    pub replay: bool,
    /// When it was scheduled first, or replayed last.
    pub queued_at: Timestamp,
    /// When it may be attempted, or while claimed, when the lease ends; null once it has ended.
    pub due_at: Option<Timestamp>,
    /// How many attempts failed since `queued_at`.
    pub attempts: i32,
    /// Whether it was attempted since `queued_at`: first attempts go before it.
    pub is_retry: bool,
    /// How often it was claimed or taken from its claimant.
    pub claim: i64,
    /// The target's epoch when this was queued: if the target's is later, it was deactivated since (D4).
    pub epoch: i32,
    /// Whether the latest attempt succeeded, also of those before a replay; null before the first (D6).
    pub succeeded: Option<bool>,
    /// The event, for joins.
    #[sea_orm(belongs_to, from = "event_id", to = "id")]
    pub event: BelongsTo<super::event::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
