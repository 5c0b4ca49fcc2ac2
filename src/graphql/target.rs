//! A target and everything that hangs on it.

use async_graphql::{Context, ID, Object, Union};
use entity::{NotificationEventName, TargetStatus, target};

use crate::graphql::attempt::DeliveryAttempt;
use crate::graphql::context::{loaders, weight};
use crate::graphql::errors::Failure;
use crate::graphql::filter::{self, WebhookNotificationTargetEventFilterInput};
use crate::graphql::loaders::{SigningKeysOf, SubscriptionsOf};
use crate::graphql::page::{self, Connection};
use crate::graphql::signing_key::SigningKey;
use crate::graphql::status_history::NotificationTargetStatusHistory;
use crate::graphql::target_event::WebhookNotificationTargetEvent;
use crate::store::lists::{Attempts, StatusHistory};

/// The row of a target.
#[derive(Debug, Clone)]
pub(super) struct WebhookNotificationTarget(pub target::Model);

impl From<target::Model> for WebhookNotificationTarget {
    fn from(row: target::Model) -> Self {
        Self(row)
    }
}

/// A URI that receives the events that it subscribes to. It belongs to one organization in one environment,
/// where at most 50 targets can be `ACTIVE` or `PENDING_VERIFICATION` at a time.
#[Object]
impl WebhookNotificationTarget {
    /// The id, `ntt_…`.
    pub async fn id(&self) -> ID {
        self.0.id.as_str().into()
    }

    /// The name that its owner gave it, 1 to 255 characters.
    async fn name(&self) -> Option<&str> {
        Some(&self.0.name)
    }

    /// Where notifications are posted to. It never changes.
    async fn uri(&self) -> Option<&str> {
        Some(&self.0.uri)
    }

    /// Who is told when the target is deactivated because a delivery failed; always null in TEST.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Extension: when the server last gave up to send a mail to the address, after a day and a half in which
    /// no mail server took it, ISO 8601 in UTC with milliseconds; null if it never did. Setting the address
    /// sets it back.
    async fn email_failed_at(&self) -> Option<String> {
        self.0.email_failed_at.map(|at| at.to_string())
    }

    /// The names of the events that the target is sent, in alphabetical order.
    async fn subscriptions(&self, ctx: &Context<'_>) -> Option<Result<Vec<NotificationEventName>, Failure>> {
        let names = loaders(ctx).load_one(SubscriptionsOf(self.0.id.clone())).await.transpose()?;
        Some(names.and_then(|names| Ok(weight(ctx).add_words(names.len()).map(|()| names)?)))
    }

    /// When the target was added, ISO 8601 in UTC with milliseconds.
    async fn created_at(&self) -> Option<String> {
        Some(self.0.created_at.to_string())
    }

    /// When the target was changed last, ISO 8601 in UTC with milliseconds.
    async fn updated_at(&self) -> Option<String> {
        Some(self.0.updated_at.to_string())
    }

    /// When the target was deactivated last, ISO 8601 in UTC with milliseconds; null if it never
    /// was. It stays when the target is activated again.
    async fn deactivated_at(&self) -> Option<String> {
        self.0.deactivated_at.map(|at| at.to_string())
    }

    /// The keys that sign what is sent to the target, newest first, without those that have expired. Each
    /// notification has one signature per key.
    async fn signing_keys(&self, ctx: &Context<'_>) -> Option<Result<Vec<SigningKey>, Failure>> {
        let keys = loaders(ctx).load_one(SigningKeysOf(self.0.id.clone())).await.transpose()?;
        let room = |keys: &Vec<_>| weight(ctx).add_rows(keys.len(), ctx);
        Some(keys.and_then(|keys| Ok(room(&keys).map(|()| keys.into_iter().map(SigningKey).collect())?)))
    }

    /// The status of the target.
    async fn status(&self) -> TargetStatus {
        self.0.status
    }

    /// All attempts to deliver something to the target, newest first.
    async fn delivery_attempts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many attempts, 1 to 200; 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Reads what follows this cursor of the same list.")] after: Option<String>,
    ) -> Option<Result<Connection<DeliveryAttempt>, Failure>> {
        Some(page::of(ctx, Attempts::On(self.0.id.clone()), first, after).await)
    }

    /// Every change of the target's status, newest first.
    async fn status_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many changes, 1 to 200; 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Reads what follows this cursor of the same list.")] after: Option<String>,
    ) -> Option<Result<Connection<NotificationTargetStatusHistory>, Failure>> {
        Some(page::of(ctx, StatusHistory(self.0.id.clone()), first, after).await)
    }

    /// The events that were to be delivered to the target, newest first, each with the result. Filter by
    /// `hasSuccessfulDelivery: false` to find what the target missed.
    async fn webhook_notification_target_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many events, 1 to 200; 20 if null.")] first: Option<i32>,
        #[graphql(desc = "Reads what follows this cursor of the same list.")] after: Option<String>,
        #[graphql(desc = "Which events; all if left out.")] filter_by: Option<
            WebhookNotificationTargetEventFilterInput,
        >,
    ) -> Option<Result<Connection<WebhookNotificationTargetEvent>, Failure>> {
        match filter::deliveries(self.0.id.clone(), filter_by) {
            Ok(deliveries) => Some(page::of(ctx, deliveries, first, after).await),
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// What notifications can be sent to.
#[derive(Debug, Union)]
pub(super) enum NotificationTarget {
    /// A URI.
    Webhook(WebhookNotificationTarget),
}
