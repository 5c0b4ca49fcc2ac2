//! Which events a target is sent: a set of names (T13).

use std::collections::BTreeSet;

use async_graphql::{Context, ID, InputObject, Object};
use entity::{AuditAction, NotificationEventName};

use crate::app::App;
use crate::auth::Caller;
use crate::error::Result;
use crate::graphql::context::{app, caller};
use crate::graphql::mutation::{change, find_target, note};
use crate::graphql::payload::{
    AddSubscriptionsToNotificationTargetPayload, Payload, RemoveSubscriptionsFromNotificationTargetPayload,
};
use crate::graphql::target::WebhookNotificationTarget;
use crate::store::{subscriptions, targets};

/// Names of events to send to a target.
#[derive(Debug, InputObject)]
pub(super) struct AddSubscriptionsToNotificationTargetInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
    /// The names. Names that the target already subscribes to, and `NOTIFICATION_ACTIVATION`, change
    /// nothing.
    subscriptions: Vec<NotificationEventName>,
}

/// Names of events to stop sending to a target.
#[derive(Debug, InputObject)]
pub(super) struct RemoveSubscriptionsFromNotificationTargetInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
    /// The names. Names that the target does not subscribe to change nothing.
    subscriptions: Vec<NotificationEventName>,
}

/// The mutations of a target's subscriptions.
#[derive(Default)]
pub(super) struct SubscriptionMutations;

#[Object]
impl SubscriptionMutations {
    /// Adds names to the events that a target subscribes to. Earlier events are not sent by themselves: see
    /// `replayNotificationEvent`.
    async fn add_subscriptions_to_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and the names.")] input: AddSubscriptionsToNotificationTargetInput,
    ) -> Payload<AddSubscriptionsToNotificationTargetPayload> {
        change(|| add(app(ctx), caller(ctx), &input)).await
    }

    /// Removes names from the events that a target subscribes to. What already waits for the target is
    /// still sent.
    async fn remove_subscriptions_from_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and the names.")]
        input: RemoveSubscriptionsFromNotificationTargetInput,
    ) -> Payload<RemoveSubscriptionsFromNotificationTargetPayload> {
        change(|| remove(app(ctx), caller(ctx), &input)).await
    }
}

async fn add(
    app: &App,
    caller: &Caller,
    input: &AddSubscriptionsToNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    let now = app.now();
    let tx = app.db.begin().await?;
    let target = find_target(&tx, &caller.scope, &input.target_id).await?;
    if subscriptions::add(&tx, &target.id, BTreeSet::from_iter(input.subscriptions.clone())).await? == 0 {
        return Ok(target.into());
    }
    let target = targets::touch(&tx, target, now).await?;
    note(&tx, caller, AuditAction::SubscriptionsAdded, &target.id, now).await?;
    tx.commit().await?;
    Ok(target.into())
}

async fn remove(
    app: &App,
    caller: &Caller,
    input: &RemoveSubscriptionsFromNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    let now = app.now();
    let tx = app.db.begin().await?;
    let target = find_target(&tx, &caller.scope, &input.target_id).await?;
    if subscriptions::remove(&tx, &target.id, BTreeSet::from_iter(input.subscriptions.clone())).await? == 0 {
        return Ok(target.into());
    }
    let target = targets::touch(&tx, target, now).await?;
    note(&tx, caller, AuditAction::SubscriptionsRemoved, &target.id, now).await?;
    tx.commit().await?;
    Ok(target.into())
}
