//! Activating and deactivating targets by hand (T5, T6).

use async_graphql::{Context, ID, InputObject, Object};
use entity::{AuditAction, NotificationEventName, Purpose};

use crate::app::{App, log};
use crate::auth::Caller;
use crate::error::Result;
use crate::graphql::context::{app, caller};
use crate::graphql::mutation::{change, find_target, note, quota_check};
use crate::graphql::payload::{
    ActivateNotificationTargetPayload, DeactivateNotificationTargetPayload, Payload,
};
use crate::graphql::target::WebhookNotificationTarget;
use crate::rules::payload as node;
use crate::rules::target_status::{self, Happening};
use crate::store::{deliveries, events, organizations, targets};

/// A target to be activated.
#[derive(Debug, InputObject)]
pub(super) struct ActivateNotificationTargetInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
}

/// A target to be deactivated.
#[derive(Debug, InputObject)]
pub(super) struct DeactivateNotificationTargetInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
}

/// The mutations of a target's status.
#[derive(Default)]
pub(super) struct StatusMutations;

#[Object]
impl StatusMutations {
    /// Sends a target a new activation notification. It is `PENDING_VERIFICATION` until it answers
    /// with a 2xx. A target that is `ACTIVE` stays as it is.
    ///
    /// Beyond these limits the code is `LIMIT_EXCEEDED`: 50 targets that are `ACTIVE` or
    /// `PENDING_VERIFICATION`, and 200 activations begun in an hour unless the server is configured
    /// otherwise. What the target missed is not sent by itself: see `replayNotificationEvent`.
    async fn activate_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target.")] input: ActivateNotificationTargetInput,
    ) -> Payload<ActivateNotificationTargetPayload> {
        change(|| activate(app(ctx), caller(ctx), &input)).await
    }

    /// Stops deliveries to a target. What waits for it ends as `SKIPPED`, and so does what is published
    /// until it is activated again. A target that stays `DEACTIVATED` for more than 30 days is removed.
    async fn deactivate_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target.")] input: DeactivateNotificationTargetInput,
    ) -> Payload<DeactivateNotificationTargetPayload> {
        change(|| deactivate(app(ctx), caller(ctx), &input)).await
    }
}

async fn activate(
    app: &App,
    caller: &Caller,
    input: &ActivateNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    let (now, scope) = (app.now(), &caller.scope);
    let tx = app.db.begin().await?;
    organizations::lock(&tx, &scope.organization).await?;
    let mut target = find_target(&tx, scope, &input.target_id).await?;
    let Some(status) = target_status::after(target.status, Happening::ActivatedByHand) else {
        return Ok(target.into());
    };
    quota_check::for_activation(&tx, app, scope, "targetId", now).await?;
    if !target_status::counts_towards_limit(target.status) {
        quota_check::for_target(&tx, scope, "targetId").await?;
    }
    if status == target.status {
        deliveries::cancel_activations(&tx, &target.id).await?;
    } else {
        target = targets::set_status(&tx, target, status, now).await?;
    }
    let activation = (Some(NotificationEventName::NotificationActivation), node::ACTIVATION);
    events::publish_to(&tx, &target, Purpose::Activation, activation, now).await?;
    note(&tx, caller, AuditAction::TargetActivated, &target.id, now).await?;
    tx.commit().await?;
    log::activation_begun(&target);
    app.wakeup.wake([target.id.clone()]);
    Ok(target.into())
}

async fn deactivate(
    app: &App,
    caller: &Caller,
    input: &DeactivateNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    let now = app.now();
    let tx = app.db.begin().await?;
    let target = find_target(&tx, &caller.scope, &input.target_id).await?;
    let Some(status) = target_status::after(target.status, Happening::DeactivatedByHand) else {
        return Ok(target.into());
    };
    let target = targets::set_status(&tx, target, status, now).await?;
    note(&tx, caller, AuditAction::TargetDeactivated, &target.id, now).await?;
    tx.commit().await?;
    log::deactivated_by_hand(&target);
    app.wakeup.wake_everywhere();
    Ok(target.into())
}
