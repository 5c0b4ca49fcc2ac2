//! Rotating the signing key of a target (K1, K2).

use async_graphql::{Context, ID, InputObject, Object};
use entity::AuditAction;

use crate::app::App;
use crate::auth::Caller;
use crate::error::{Code, Error, Result, Violation};
use crate::graphql::context::{app, caller};
use crate::graphql::mutation::{change, find_target, note};
use crate::graphql::payload::{Payload, RotateNotificationTargetSigningKeyPayload};
use crate::graphql::target::WebhookNotificationTarget;
use crate::rules::{credential, limits};
use crate::store::{signing_keys, targets};
use crate::vault;

/// A target to give a new signing key.
#[derive(Debug, InputObject)]
pub(super) struct RotateNotificationTargetSigningKeyInput {
    /// The id of the target, `ntt_…`.
    target_id: ID,
}

/// The mutations of signing keys.
#[derive(Default)]
pub(super) struct SigningKeyMutations;

#[Object]
impl SigningKeyMutations {
    /// Gives a target a new signing key. The previous key expires 24 hours later, unless the server is
    /// configured otherwise; keys that already have a time of expiry keep it. Until then each notification
    /// is signed with all of them.
    ///
    /// A target has at most 5 unexpired keys, else `LIMIT_EXCEEDED`.
    async fn rotate_notification_target_signing_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which target.")] input: RotateNotificationTargetSigningKeyInput,
    ) -> Payload<RotateNotificationTargetSigningKeyPayload> {
        change(|| rotate(app(ctx), caller(ctx), &input)).await
    }
}

async fn rotate(
    app: &App,
    caller: &Caller,
    input: &RotateNotificationTargetSigningKeyInput,
) -> Result<WebhookNotificationTarget> {
    let now = app.now();
    let tx = app.db.begin().await?;
    let target = find_target(&tx, &caller.scope, &input.target_id).await?;
    if signing_keys::count_unexpired(&tx, &target.id, now).await? >= limits::SIGNING_KEYS {
        return Err(Error::invalid(too_many(), "targetId"));
    }
    signing_keys::expire_current(&tx, &target.id, now + app.settings.key_overlap).await?;
    let secret = credential::signing_secret(vault::random());
    signing_keys::add(&tx, &target.id, &secret, &app.vault, now).await?;
    let target = targets::count_rotation(&tx, target).await?;
    note(&tx, caller, AuditAction::SigningKeyRotated, &target.id, now).await?;
    tx.commit().await?;
    // What is about to be sent to it was addressed before.
    app.wakeup.wake_everywhere();
    Ok(target.into())
}

fn too_many() -> Violation {
    let most = limits::SIGNING_KEYS;
    let description =
        format!("The target has {most} unexpired signing keys. Wait until one of them has expired.");
    Violation::new(Code::LimitExceeded, description)
}
