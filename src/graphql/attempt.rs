//! An attempt to deliver an event, as it ended.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::{AttemptStatus, FailureReason, attempt};

use crate::graphql::context::loaders;
use crate::graphql::errors::Failure;
use crate::graphql::event::NotificationEvent;
use crate::graphql::target::WebhookNotificationTarget;

/// The row of an attempt.
#[derive(Debug, Clone)]
pub(super) struct DeliveryAttempt(pub attempt::Model);

impl From<attempt::Model> for DeliveryAttempt {
    fn from(row: attempt::Model) -> Self {
        Self(row)
    }
}

/// One attempt to deliver an event to a target. An attempt is listed when it has ended.
#[Object]
impl DeliveryAttempt {
    /// The id, `nda_…`.
    pub async fn id(&self) -> ID {
        self.0.id.as_str().into()
    }

    /// The URI that the event was sent to.
    async fn uri(&self) -> Option<&str> {
        Some(&self.0.uri)
    }

    /// The target; null if it has been removed since.
    async fn target(&self, ctx: &Context<'_>) -> Option<Result<WebhookNotificationTarget, Failure>> {
        let target = loaders(ctx).load_one(self.0.target_id.clone()).await.transpose()?;
        Some(target.map(WebhookNotificationTarget))
    }

    /// The HTTP status of the answer; null if there was none.
    #[graphql(deprecation = "Use `response.httpStatusCode`.")]
    async fn status(&self) -> Option<i32> {
        self.0.response_code
    }

    /// Whether the target took the event.
    #[graphql(deprecation = "Use `deliveryAttemptStatus`, which tells failed from skipped.")]
    async fn success(&self) -> Option<bool> {
        Some(self.0.status == AttemptStatus::Success)
    }

    /// What the target answered; null if there was no HTTP answer.
    async fn response(&self) -> Option<DeliveryAttemptResponse> {
        self.0.response_code.map(|code| DeliveryAttemptResponse { http_status_code: Some(code) })
    }

    /// How the attempt ended.
    async fn delivery_attempt_status(&self) -> Option<AttemptStatus> {
        Some(self.0.status)
    }

    /// When the attempt began, ISO 8601 in UTC with milliseconds.
    async fn created_at(&self) -> Option<String> {
        Some(self.0.created_at.to_string())
    }

    /// The event; null once it has expired.
    async fn event(&self, ctx: &Context<'_>) -> Option<Result<NotificationEvent, Failure>> {
        let event = loaders(ctx).load_one(self.0.event_id.clone()).await.transpose()?;
        Some(event.map(NotificationEvent))
    }

    /// Extension: how long the attempt took, in milliseconds; null if nothing was sent.
    async fn duration_ms(&self) -> Option<i32> {
        self.0.duration_ms.and_then(|millis| i32::try_from(millis).ok())
    }

    /// Extension: why the attempt failed; null unless it did.
    async fn failure_reason(&self) -> Option<FailureReason> {
        self.0.failure_reason
    }

    /// Extension: the first 1,024 characters of the body of the target's answer; null if there was no HTTP
    /// answer. The target wrote them: show them only as text.
    async fn response_excerpt(&self) -> Option<&str> {
        self.0.response_excerpt.as_deref()
    }
}

/// What a target answered to a delivery attempt.
#[derive(Debug, SimpleObject)]
pub(super) struct DeliveryAttemptResponse {
    /// The HTTP status of the answer. Only 200 to 299 is a success; redirects are not followed.
    http_status_code: Option<i32>,
}
