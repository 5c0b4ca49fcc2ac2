//! A change of a target's status (T8).

use async_graphql::{Context, ID, Object};
use entity::{TargetStatus, status_change};

use crate::graphql::context::loaders;
use crate::graphql::errors::Failure;
use crate::graphql::target::NotificationTarget;

/// The row of a change.
#[derive(Debug, Clone)]
pub(super) struct NotificationTargetStatusHistory(status_change::Model);

impl From<status_change::Model> for NotificationTargetStatusHistory {
    fn from(row: status_change::Model) -> Self {
        Self(row)
    }
}

/// One change of a target's status.
#[Object]
impl NotificationTargetStatusHistory {
    /// The id, `nsh_…`.
    async fn id(&self) -> ID {
        self.0.id.as_str().into()
    }

    /// The target whose status changed.
    async fn target(&self, ctx: &Context<'_>) -> Option<Result<NotificationTarget, Failure>> {
        let target = loaders(ctx).load_one(self.0.target_id.clone()).await.transpose()?;
        Some(target.map(|row| NotificationTarget::Webhook(row.into())))
    }

    /// When it changed, ISO 8601 in UTC with milliseconds.
    async fn created_at(&self) -> Option<String> {
        Some(self.0.created_at.to_string())
    }

    /// The new status.
    async fn new_status(&self) -> Option<TargetStatus> {
        Some(self.0.new_status)
    }

    /// The previous status; null for the entry of the target's addition.
    async fn previous_status(&self) -> Option<TargetStatus> {
        self.0.previous_status
    }
}
