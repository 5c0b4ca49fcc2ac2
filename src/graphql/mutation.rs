//! What can be changed, one feature a file.
//!
//! Each change is one transaction. The delivery engine is woken after the commit,
//! never before. Locks are taken in one order, here and in the delivery engine: organization, targets,
//! events, deliveries, and of each kind in the order of ids.

mod api_keys;
mod email;
mod organizations;
mod ping;
mod publish;
mod quota_check;
mod replay;
mod signing_keys;
mod status;
mod subscriptions;
mod targets;

use std::fmt::Display;

use async_graphql::{ID, MergedObject};
use entity::{AuditAction, Timestamp, target};
use sea_orm::ConnectionTrait;

use crate::auth::Caller;
use crate::db::despite_conflicts;
use crate::error::{Code, Error, Result, Violation};
use crate::graphql::errors::{AccessDeniedError, UserError};
use crate::graphql::payload::{self, Payload};
use crate::store::audit::{self, Note};
use crate::store::{self, Scope};

/// What can be changed. The mutations of a document are carried out in their order, each one independently.
///
/// If the input or the API key is the reason that nothing was done, the payload says so; it is not an error
/// of the document.
#[derive(Default, MergedObject)]
pub struct Mutation(
    api_keys::ApiKeyMutations,
    targets::TargetMutations,
    status::StatusMutations,
    email::EmailMutations,
    subscriptions::SubscriptionMutations,
    signing_keys::SigningKeyMutations,
    replay::ReplayMutations,
    publish::PublishMutations,
    ping::PingMutations,
    organizations::OrganizationMutations,
);

/// Makes a change, and says how it ended. The change is repeated when the database gave its transaction
/// up because of another one: so it starts with a `begin`, ends with its `commit`, and keeps nothing.
async fn change<T, P, C>(make: impl Fn() -> C) -> Payload<P>
where
    C: Future<Output = Result<T>>,
    P: From<T> + From<UserError> + From<AccessDeniedError>,
{
    payload::of(despite_conflicts(make).await)
}

/// The target that `input.targetId` names, held until the transaction ends. An id that cannot be
/// one is answered like an unknown one.
async fn find_target(tx: &impl ConnectionTrait, scope: &Scope, id: &ID) -> Result<target::Model> {
    let found = match id.parse() {
        Ok(id) => store::targets::find_to_change(tx, scope, &id).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Error::invalid(not_found("target"), "targetId"))
}

/// Writes into the audit trail what the caller did to `subject`. Whoever changed nothing does not call it.
async fn note(
    tx: &impl ConnectionTrait,
    caller: &Caller,
    action: AuditAction,
    subject: &impl Display,
    now: Timestamp,
) -> Result<()> {
    let note = Note { key: Some(&caller.key), action, subject: subject.to_string() };
    audit::add(tx, &caller.scope, note, now).await
}

fn not_found(what: &str) -> Violation {
    Violation::new(Code::NotFound, format!("There is no {what} of this id."))
}
