//! An event and its deliveries.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::{EventName, NotificationEventName, event};

use crate::error::Error;
use crate::graphql::attempt::DeliveryAttempt;
use crate::graphql::context::{app, weight};
use crate::graphql::errors::Failure;
use crate::graphql::event_node::NotificationEventNode;
use crate::graphql::organization::Organization;
use crate::graphql::page::{self, Connection};
use crate::store::lists::Attempts;

/// The row of an event.
#[derive(Debug, Clone)]
pub(super) struct NotificationEvent(pub event::Model);

impl From<event::Model> for NotificationEvent {
    fn from(row: event::Model) -> Self {
        Self(row)
    }
}

/// Something that happened, and that targets are notified of.
#[Object]
impl NotificationEvent {
    /// The id, `nee_…`. It is the same in every delivery of the event, so that receivers recognize
    /// duplicates.
    pub async fn id(&self) -> ID {
        self.0.id.as_str().into()
    }

    /// When the event was published, ISO 8601 in UTC with milliseconds.
    async fn created_at(&self) -> Option<String> {
        Some(self.0.created_at.to_string())
    }

    /// When the event and its delivery attempts are removed: 30 days after `createdAt` unless the server is
    /// configured otherwise. ISO 8601 in UTC with milliseconds.
    async fn expires_at(&self, ctx: &Context<'_>) -> Option<String> {
        Some((self.0.created_at + app(ctx).settings.retention).to_string())
    }

    /// What happened; null for a ping test, and for a name that only newer versions of the server know.
    async fn name(&self) -> Option<NotificationEventName> {
        self.0.name.as_ref().and_then(EventName::known)
    }

    /// The payload: the details of what happened.
    async fn node(&self, ctx: &Context<'_>) -> Option<Result<NotificationEventNode, Failure>> {
        let times = ctx.field().selection_set().count();
        if let Err(error) = weight(ctx).add_payload(&self.0.node, times) {
            return Some(Err(error.into()));
        }
        Some(NotificationEventNode::read(&self.0.node).map_err(|error| Error::from(error).into()))
    }

    /// Where the event came from if another organization passed it on; always null for now.
    async fn origination(&self) -> Option<Origination> {
        None
    }

    /// Every attempt to deliver the event to any target, newest first; null if there was no target
    /// to deliver it to.
    async fn delivery_attempts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many attempts, 1 to 200; 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Reads what follows this cursor of the same list.")] after: Option<String>,
    ) -> Option<Result<Connection<DeliveryAttempt>, Failure>> {
        if !self.0.is_addressed {
            return None;
        }
        Some(page::of(ctx, Attempts::Of(self.0.id.clone()), first, after).await)
    }
}

/// Where an event came from that another organization passed on.
#[derive(Debug, SimpleObject)]
pub(super) struct Origination {
    /// The organization that the event happened in.
    organization: Option<Organization>,
    /// When the event was passed on, ISO 8601 in UTC with milliseconds.
    relayed_at: Option<String>,
    /// The event as it happened first.
    event: Option<NotificationEvent>,
}
