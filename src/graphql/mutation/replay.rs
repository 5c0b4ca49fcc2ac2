//! Delivering an event once more (R1 to R4).

use async_graphql::{Context, ID, InputObject, Object};
use entity::{AuditAction, EventName, TargetId, event, target};
use sea_orm::ConnectionTrait;

use crate::app::App;
use crate::auth::Caller;
use crate::error::{Code, Error, Result, Violation};
use crate::graphql::context::{app, caller};
use crate::graphql::event::NotificationEvent;
use crate::graphql::mutation::{change, not_found, note};
use crate::graphql::payload::{Payload, ReplayNotificationEventPayload};
use crate::store::{Scope, deliveries, events, targets};

/// How many targets one call may name.
const MAX_TARGETS: usize = 200;

/// An event to deliver again.
#[derive(Debug, InputObject)]
pub(super) struct ReplayNotificationEventInput {
    /// The id of the event, `nee_…`.
    notification_event_id: ID,
    /// The ids of the targets to deliver it to, at most 200, else `INVALID_COUNT`; null or empty for all.
    /// Unknown ids, and ids of targets that are not `ACTIVE` or do not subscribe to the event's name, are
    /// ignored.
    target_ids: Option<Vec<ID>>,
}

/// The mutation of replays.
#[derive(Default)]
pub(super) struct ReplayMutations;

#[Object]
impl ReplayMutations {
    /// Delivers an event again to the `ACTIVE` targets that now subscribe to its name, whether it was
    /// delivered, failed, skipped or never sent to them before.
    ///
    /// Each delivery has the full number of attempts, and each attempt has the header `highnote-replay:
    /// true`. A replay during an attempt begins after it. Ping tests and activations cannot be replayed.
    async fn replay_notification_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which event, and where to.")] input: ReplayNotificationEventInput,
    ) -> Payload<ReplayNotificationEventPayload> {
        change(|| replay(app(ctx), caller(ctx), &input)).await
    }
}

async fn replay(
    app: &App,
    caller: &Caller,
    input: &ReplayNotificationEventInput,
) -> Result<NotificationEvent> {
    let only = input.target_ids.as_deref().filter(|ids| !ids.is_empty()).map(parse).transpose()?;
    let now = app.now();
    let tx = app.db.begin().await?;
    let mut event = find_event(&tx, &caller.scope, &input.notification_event_id).await?;
    let targets = candidates(&tx, &caller.scope, &event, only).await?;
    if !targets.is_empty() {
        // The event before its deliveries: whoever removes what has expired takes them in this order.
        event = events::mark_addressed(&tx, event).await?.ok_or_else(no_such_event)?;
        deliveries::replay(&tx, &event, &targets, now).await?;
        note(&tx, caller, AuditAction::EventReplayed, &event.id, now).await?;
    }
    tx.commit().await?;
    app.wakeup.wake(targets.into_iter().map(|target| target.id));
    Ok(event.into())
}

fn parse(ids: &[ID]) -> Result<Vec<TargetId>> {
    if ids.len() > MAX_TARGETS {
        let description =
            format!("{} targets are named. Name at most {MAX_TARGETS}, or none for all.", ids.len());
        return Err(Error::invalid(Violation::new(Code::InvalidCount, description), "targetIds"));
    }
    Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
}

async fn find_event(tx: &impl ConnectionTrait, scope: &Scope, id: &ID) -> Result<event::Model> {
    let found = match id.parse() {
        Ok(id) => events::find(tx, scope, &id).await?,
        Err(_) => None,
    };
    found.ok_or_else(no_such_event)
}

fn no_such_event() -> Error {
    Error::invalid(not_found("event"), "notificationEventId")
}

async fn candidates(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    event: &event::Model,
    only: Option<Vec<TargetId>>,
) -> Result<Vec<target::Model>> {
    match event.name.as_ref().and_then(EventName::known).filter(|name| name.is_subscribable()) {
        Some(name) => targets::subscribed(tx, scope, name, only).await,
        None => Ok(Vec::new()),
    }
}
