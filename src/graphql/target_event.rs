//! An event as one target sees it: built on the delivery that joins the two.

use async_graphql::{Context, Object};
use entity::delivery;

use crate::graphql::attempt::DeliveryAttempt;
use crate::graphql::context::loaders;
use crate::graphql::errors::Failure;
use crate::graphql::event::NotificationEvent;
use crate::graphql::page::{self, Connection};
use crate::store::lists::Attempts;

/// The row of a delivery.
#[derive(Debug, Clone)]
pub(super) struct WebhookNotificationTargetEvent(delivery::Model);

impl From<delivery::Model> for WebhookNotificationTargetEvent {
    fn from(row: delivery::Model) -> Self {
        Self(row)
    }
}

/// An event that was to be delivered to a target, and the result.
#[Object]
impl WebhookNotificationTargetEvent {
    /// Whether the latest attempt succeeded: false if it failed or was skipped, null while there is
    /// none.
    async fn has_successful_delivery(&self) -> Option<bool> {
        self.0.succeeded
    }

    /// The event; null once it has expired.
    async fn event(&self, ctx: &Context<'_>) -> Option<Result<NotificationEvent, Failure>> {
        let event = loaders(ctx).load_one(self.0.event_id.clone()).await.transpose()?;
        Some(event.map(NotificationEvent))
    }

    /// The attempts to deliver this event to this target, newest first.
    async fn delivery_attempts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many attempts, 1 to 200; 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Reads what follows this cursor of the same list.")] after: Option<String>,
    ) -> Option<Result<Connection<DeliveryAttempt>, Failure>> {
        let attempts = Attempts::OfOn(self.0.event_id.clone(), self.0.target_id.clone());
        Some(page::of(ctx, attempts, first, after).await)
    }
}
