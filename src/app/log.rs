//! The lines of the log that an operator looks for first: what became of targets, keys and organizations.
//!
//! Each is written after the commit that made it true, so what is undone or done again leaves none. If it
//! is not known whether a commit succeeded, there may be none either: the history is in the database.
//! Names and URIs are left out, because strangers choose them; ids say the same.

use entity::{FailureReason, OrganizationId, TargetId, TargetStatus, api_key, organization, target};
use sea_orm::ActiveEnum;
use tracing::info;

use crate::store::settlement::Change;

/// Why a target is not there any more, or not active.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause {
    /// Somebody wanted it so.
    ByHand,
    /// It was deactivated for so long that it was removed (T11).
    Expired,
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "BY_HAND",
            Self::Expired => "EXPIRED",
        }
    }
}

/// An activation notification is on its way: of a new target, or of one that is to be active again.
pub(crate) fn activation_begun(target: &target::Model) {
    let environment = target.environment.word();
    info!(organization = %target.organization_id, environment, target_id = %target.id, "an activation was begun");
}

/// Somebody deactivated it.
pub(crate) fn deactivated_by_hand(target: &target::Model) {
    let (environment, reason) = (target.environment.word(), Cause::ByHand.as_str());
    info!(
        organization = %target.organization_id,
        environment,
        target_id = %target.id,
        reason,
        "a target was deactivated"
    );
}

/// It is gone for good.
pub(crate) fn removed(organization: &OrganizationId, target: &TargetId, cause: Cause) {
    info!(%organization, target_id = %target, reason = cause.as_str(), "a target was removed");
}

/// An attempt decided the status of a target.
pub(crate) fn status_changed(change: &Change) {
    macro_rules! line {
        ($message:literal) => {
            info!(
                organization = %change.target.organization_id,
                environment = change.target.environment.word(),
                target_id = %change.target.id,
                event_id = %change.outcome.delivery.event_id,
                attempt = change.outcome.number(),
                reason = change.outcome.attempt.failure_reason.map(word),
                status = change.outcome.attempt.response_code,
                $message
            )
        };
    }
    match change.target.status {
        TargetStatus::Active => line!("a target is active"),
        TargetStatus::ActivationFailed => line!("an activation failed"),
        TargetStatus::Deactivated => line!("a target was deactivated"),
        // No attempt leads there.
        TargetStatus::PendingVerification => {}
    }
}

/// The word for a reason, as the API shows it.
pub(crate) fn word(reason: FailureReason) -> String {
    reason.to_value()
}

/// An organization was made, with its first keys.
pub(crate) fn organization_made(organization: &organization::Model, keys: [&api_key::Model; 2]) {
    info!(organization = %organization.id, "an organization was made");
    keys.into_iter().for_each(key_made);
}

/// An API key was made.
pub(crate) fn key_made(key: &api_key::Model) {
    let (environment, kind) = (key.environment.word(), key.kind.to_value());
    info!(organization = %key.organization_id, environment, key_id = %key.id, kind, "an API key was made");
}

/// An API key was revoked.
pub(crate) fn key_revoked(key: &api_key::Model) {
    let environment = key.environment.word();
    info!(organization = %key.organization_id, environment, key_id = %key.id, "an API key was revoked");
}
