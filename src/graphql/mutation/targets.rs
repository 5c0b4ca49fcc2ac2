//! Adding, renaming and removing targets.

use std::collections::BTreeSet;

use async_graphql::{Context, ID, InputObject, Object};
use entity::{AuditAction, NotificationEventName, Purpose, Timestamp, target};
use sea_orm::ConnectionTrait;

use crate::app::App;
use crate::app::log::{self, Cause};
use crate::auth::Caller;
use crate::error::{Path, Result, Violations};
use crate::graphql::context::{app, caller};
use crate::graphql::mutation::{change, email, find_target, note, quota_check};
use crate::graphql::payload::{
    AddWebhookNotificationTargetPayload, Payload, RemoveNotificationTargetPayload,
    RenameNotificationTargetPayload,
};
use crate::graphql::target::WebhookNotificationTarget;
use crate::rules::email::check as check_email;
use crate::rules::{credential, payload as node, text};
use crate::store::targets::NewTarget;
use crate::store::{Scope, events, signing_keys, subscriptions, targets};
use crate::vault::{self, Vault};

/// A target to add.
#[derive(Debug, InputObject)]
pub(super) struct AddWebhookNotificationTargetInput {
    /// What to call it: 1 to 255 characters other than control characters, else `INVALID_NAME`.
    name: String,
    /// Where to post notifications: an absolute `https` URI with a host on the public internet, without
    /// user info or fragment, else `INVALID_URI`. Several targets may have the same URI.
    uri: String,
    /// The address that is told by mail when the target is deactivated because a delivery failed;
    /// `INVALID_EMAIL` if it is malformed. In LIVE only: with a TEST key the payload is an
    /// `AccessDeniedError`.
    email: Option<String>,
    /// The names of the events to send. `NOTIFICATION_ACTIVATION` is always sent, and ignored here.
    subscriptions: Vec<NotificationEventName>,
}

/// Another name for a target.
#[derive(Debug, InputObject)]
pub(super) struct RenameNotificationTargetInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
    /// What to call it: 1 to 255 characters other than control characters, else `INVALID_NAME`.
    name: String,
}

/// A target to be removed.
#[derive(Debug, InputObject)]
pub(super) struct RemoveNotificationTargetInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
}

/// The mutations of targets as such.
#[derive(Default)]
pub(super) struct TargetMutations;

#[Object]
impl TargetMutations {
    /// Adds a target. It is `PENDING_VERIFICATION` and is sent an activation notification at once, up to
    /// three times within a minute. Its first 2xx answer makes it `ACTIVE`.
    ///
    /// Beyond these limits the code is `LIMIT_EXCEEDED`: 50 targets that are `ACTIVE` or
    /// `PENDING_VERIFICATION`, 500 in total, deactivated ones included, and 200 activations begun in an
    /// hour unless the server is configured otherwise.
    async fn add_webhook_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The target.")] input: AddWebhookNotificationTargetInput,
    ) -> Payload<AddWebhookNotificationTargetPayload> {
        change(|| add(app(ctx), caller(ctx), &input)).await
    }

    /// Removes a target for good, whatever its status. What waits for it is not sent; the attempts that
    /// were made stay with their events.
    async fn remove_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target.")] input: RemoveNotificationTargetInput,
    ) -> Payload<RemoveNotificationTargetPayload> {
        change(|| remove(app(ctx), caller(ctx), &input)).await
    }

    /// Gives a target another name. Deliveries are not affected.
    async fn rename_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and its new name.")] input: RenameNotificationTargetInput,
    ) -> Payload<RenameNotificationTargetPayload> {
        change(|| rename(app(ctx), caller(ctx), &input)).await
    }
}

async fn add(
    app: &App,
    caller: &Caller,
    input: &AddWebhookNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    let (now, scope) = (app.now(), &caller.scope);
    check(app, scope, input)?;
    let AddWebhookNotificationTargetInput { name, uri, email, .. } = input;
    let new = NewTarget { name: name.clone(), uri: uri.clone(), email: email.clone() };
    let tx = app.db.begin().await?;
    quota_check::for_new_target(&tx, scope, Path::input()).await?;
    quota_check::for_activation(&tx, app, scope, Path::input(), now).await?;
    let target = targets::add(&tx, scope, new, now).await?;
    subscriptions::add(&tx, &target.id, BTreeSet::from_iter(input.subscriptions.clone())).await?;
    begin(&tx, &app.vault, &target, now).await?;
    note(&tx, caller, AuditAction::TargetAdded, &target.id, now).await?;
    tx.commit().await?;
    log::activation_begun(&target);
    app.wakeup.wake([target.id.clone()]);
    Ok(target.into())
}

fn check(app: &App, scope: &Scope, input: &AddWebhookNotificationTargetInput) -> Result<()> {
    let mut violations = Violations::default();
    violations.check("name", text::name(&input.name));
    violations.check("uri", app.settings.outbound.uris.check(&input.uri));
    if let Some(address) = &input.email {
        email::allow(scope)?;
        violations.check("email", check_email(address));
    }
    violations.join(Ok(()))
}

/// Gives a new target its first key, and begins its activation (T3).
async fn begin(
    tx: &impl ConnectionTrait,
    vault: &Vault,
    target: &target::Model,
    now: Timestamp,
) -> Result<()> {
    let secret = credential::signing_secret(vault::random());
    signing_keys::add(tx, &target.id, &secret, vault, now).await?;
    let activation = (Some(NotificationEventName::NotificationActivation), node::ACTIVATION);
    events::publish_to(tx, target, Purpose::Activation, activation, now).await?;
    Ok(())
}

async fn remove(
    app: &App,
    caller: &Caller,
    input: &RemoveNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    let tx = app.db.begin().await?;
    let target = find_target(&tx, &caller.scope, &input.target_id).await?;
    targets::remove(&tx, &target.id).await?;
    note(&tx, caller, AuditAction::TargetRemoved, &target.id, app.now()).await?;
    tx.commit().await?;
    log::removed(&target.organization_id, &target.id, Cause::ByHand);
    app.wakeup.wake_everywhere();
    Ok(target.into())
}

async fn rename(
    app: &App,
    caller: &Caller,
    input: &RenameNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    let mut violations = Violations::default();
    violations.check("name", text::name(&input.name));
    let now = app.now();
    let tx = app.db.begin().await?;
    let target = violations.join(find_target(&tx, &caller.scope, &input.target_id).await)?;
    if target.name == input.name {
        return Ok(target.into());
    }
    let target = targets::rename(&tx, target, input.name.clone(), now).await?;
    note(&tx, caller, AuditAction::TargetRenamed, &target.id, now).await?;
    tx.commit().await?;
    Ok(target.into())
}
