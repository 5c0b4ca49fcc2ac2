//! What was done: every attempt to deliver, as it ended.

use sea_orm::entity::prelude::*;

use crate::{AttemptId, AttemptStatus, EventId, FailureReason, TargetId, Timestamp};

/// One attempt to deliver an event. It outlives its target (T10).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt")]
pub struct Model {
    /// `nda_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    /// The event.
    pub event_id: EventId,
    /// The target, which may be gone by now.
    pub target_id: TargetId,
    /// Where it was sent to.
    pub uri: String,
    /// How it ended.
    pub status: AttemptStatus,
    /// The HTTP status of the answer, if there was one.
    pub response_code: Option<i32>,
    /// Why it failed; null unless it did.
    pub failure_reason: Option<FailureReason>,
    /// The first characters of the answer's body, if there was one.
    pub response_excerpt: Option<String>,
    /// How long it took, in milliseconds; null if nothing was sent.
    pub duration_ms: Option<i64>,
    /// When it began.
    pub created_at: Timestamp,
    /// The event, for joins.
    #[sea_orm(belongs_to, from = "event_id", to = "id")]
    pub event: BelongsTo<super::event::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
