//! The email address of a target, which there is in LIVE only (T12).

use async_graphql::{Context, ID, InputObject, Object};
use entity::AuditAction;

use crate::app::App;
use crate::auth::Caller;
use crate::error::{Error, Result, Violations};
use crate::graphql::context::{app, caller};
use crate::graphql::mutation::{change, find_target, note};
use crate::graphql::payload::{
    Payload, RemoveEmailFromNotificationTargetPayload, SetEmailForNotificationTargetPayload,
};
use crate::graphql::target::WebhookNotificationTarget;
use crate::rules::email;
use crate::store::{Scope, targets};

/// An email address for a target.
#[derive(Debug, InputObject)]
pub(super) struct SetEmailForNotificationTargetInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
    /// The address that is told when the target is deactivated because a delivery failed: at most 254
    /// characters, else `INVALID_EMAIL`.
    email: String,
}

/// A target whose email address is to be removed.
#[derive(Debug, InputObject)]
pub(super) struct RemoveEmailFromNotificationTargetInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
}

/// The mutations of a target's email address.
#[derive(Default)]
pub(super) struct EmailMutations;

#[Object]
impl EmailMutations {
    /// Sets or replaces the email address of a target. In LIVE only: with a TEST key the payload is an
    /// `AccessDeniedError`.
    async fn set_email_for_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target, and the address.")] input: SetEmailForNotificationTargetInput,
    ) -> Payload<SetEmailForNotificationTargetPayload> {
        change(|| set(app(ctx), caller(ctx), &input)).await
    }

    /// Removes the email address of a target, if it has one. In LIVE only: with a TEST key the
    /// payload is an `AccessDeniedError`.
    async fn remove_email_from_notification_target(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target.")] input: RemoveEmailFromNotificationTargetInput,
    ) -> Payload<RemoveEmailFromNotificationTargetPayload> {
        change(|| remove(app(ctx), caller(ctx), &input)).await
    }
}

/// Whether targets of this scope have email addresses.
pub(super) fn allow(scope: &Scope) -> Result<()> {
    if scope.environment.keeps_email() {
        return Ok(());
    }
    Err(Error::Denied("Targets have an email address in LIVE only. This API key is for TEST.".to_owned()))
}

async fn set(
    app: &App,
    caller: &Caller,
    input: &SetEmailForNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    allow(&caller.scope)?;
    let mut violations = Violations::default();
    violations.check("email", email::check(&input.email));
    let now = app.now();
    let tx = app.db.begin().await?;
    let target = violations.join(find_target(&tx, &caller.scope, &input.target_id).await)?;
    if target.email.as_ref() == Some(&input.email) {
        return Ok(target.into());
    }
    let target = targets::set_email(&tx, target, Some(input.email.clone()), now).await?;
    note(&tx, caller, AuditAction::EmailSet, &target.id, now).await?;
    tx.commit().await?;
    Ok(target.into())
}

async fn remove(
    app: &App,
    caller: &Caller,
    input: &RemoveEmailFromNotificationTargetInput,
) -> Result<WebhookNotificationTarget> {
    allow(&caller.scope)?;
    let now = app.now();
    let tx = app.db.begin().await?;
    let target = find_target(&tx, &caller.scope, &input.target_id).await?;
    if target.email.is_none() {
        return Ok(target.into());
    }
    let target = targets::set_email(&tx, target, None, now).await?;
    note(&tx, caller, AuditAction::EmailRemoved, &target.id, now).await?;
    tx.commit().await?;
    Ok(target.into())
}
