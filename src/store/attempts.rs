//! What was tried: one row an attempt, written when it has ended.

use entity::{AttemptId, AttemptStatus, EventId, TargetId, Timestamp, attempt};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter};

use crate::error::Result;
use crate::store::Scope;
use crate::store::bulk::Script;

/// An attempt that was not made, because the target is deactivated (D1, D4).
pub(crate) fn skipped(event: &EventId, target: &TargetId, uri: &str, now: Timestamp) -> attempt::Model {
    attempt::Model {
        id: AttemptId::new(now),
        event_id: event.clone(),
        target_id: target.clone(),
        uri: uri.to_owned(),
        status: AttemptStatus::Skipped,
        response_code: None,
        failure_reason: None,
        response_excerpt: None,
        duration_ms: None,
        created_at: now,
    }
}

/// The scope's attempt of this id.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: &AttemptId,
) -> Result<Option<attempt::Model>> {
    Ok(scope.attempts().filter(attempt::Column::Id.eq(id)).one(db).await?)
}

/// Writes attempts down. What is written already stays: whoever did not hear of the commit tries again.
pub(crate) fn insert_all<'a>(script: &mut Script, rows: impl IntoIterator<Item = &'a attempt::Model>) {
    script.insert::<attempt::Entity>(rows, "ON CONFLICT (id) DO NOTHING");
}
