//! Testing whether a target can be reached (X2).

use async_graphql::{Context, ID, InputObject, Object};
use entity::{AuditAction, Purpose};

use crate::app::App;
use crate::auth::Caller;
use crate::error::{Code, Error, Result, Violation};
use crate::graphql::context::{app, caller};
use crate::graphql::event::NotificationEvent;
use crate::graphql::mutation::{change, find_target, note};
use crate::graphql::payload::{InitiateNotificationPingTestPayload, Payload};
use crate::rules::{payload as node, target_status};
use crate::store::events;

/// Extension: a target to be tested.
#[derive(Debug, InputObject)]
pub(super) struct InitiateNotificationPingTestInput {
    /// Extension: the id of the target, `ntt_…`. If it is not `ACTIVE`, the code is `INVALID_STATE`.
    target_id: ID,
}

/// The mutation of ping tests.
#[derive(Default)]
pub(super) struct PingMutations;

#[Object]
impl PingMutations {
    /// Extension: sends an `ACTIVE` target a `NotificationPingTestEvent`, an event without a name. The
    /// event's `deliveryAttempts` show the result.
    async fn initiate_notification_ping_test(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Extension: which target.")] input: InitiateNotificationPingTestInput,
    ) -> Payload<InitiateNotificationPingTestPayload> {
        change(|| ping(app(ctx), caller(ctx), &input)).await
    }
}

async fn ping(
    app: &App,
    caller: &Caller,
    input: &InitiateNotificationPingTestInput,
) -> Result<NotificationEvent> {
    let now = app.now();
    let tx = app.db.begin().await?;
    let target = find_target(&tx, &caller.scope, &input.target_id).await?;
    if !target_status::may_be_pinged(target.status) {
        let violation = Violation::new(Code::InvalidState, "The target is not ACTIVE. Activate it first.");
        return Err(Error::invalid(violation, "targetId"));
    }
    let event = events::publish_to(&tx, &target, Purpose::Ping, (None, node::PING), now).await?;
    note(&tx, caller, AuditAction::PingSent, &target.id, now).await?;
    tx.commit().await?;
    app.wakeup.wake([target.id]);
    Ok(event.into())
}
