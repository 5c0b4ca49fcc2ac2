//! The histories of the targets' statuses (T8).

use entity::{StatusChangeId, TargetId, TargetStatus, Timestamp, status_change};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::error::Result;

/// Writes one change down.
pub(crate) async fn add(
    tx: &impl ConnectionTrait,
    target: &TargetId,
    previous: Option<TargetStatus>,
    new: TargetStatus,
    now: Timestamp,
) -> Result<()> {
    let row = status_change::Model {
        id: StatusChangeId::new(now),
        target_id: target.clone(),
        previous_status: previous,
        new_status: new,
        created_at: now,
    };
    status_change::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(())
}
