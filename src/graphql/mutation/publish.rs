//! Publishing events (X1, X4): what the platform's own services call.

use async_graphql::{Context, ID, InputObject, Object};
use entity::NotificationEventName;

use crate::app::App;
use crate::auth::Caller;
use crate::error::{Code, Error, Path, Result, Violation, Violations};
use crate::graphql::context::{app, caller, weight};
use crate::graphql::event::NotificationEvent;
use crate::graphql::json::Json;
use crate::graphql::mutation::not_found;
use crate::graphql::payload::{self, Payload, PublishNotificationEventsPayload, PublishedNotificationEvents};
use crate::rules::{limits, payload as node, text};
use crate::store::events::{NewEvent, Publication};
use crate::store::{Scope, organizations};

/// Extension: events to publish, all or none.
#[derive(Debug, InputObject)]
pub(super) struct PublishNotificationEventsInput {
    /// Extension: the organization whose events they are, `org_…`; the API key's own if left out. Only
    /// PLATFORM keys can name another one; with other keys that is `NOT_FOUND`.
    organization_id: Option<ID>,
    /// Extension: the events, 1 to 1,000, else `INVALID_COUNT`.
    events: Vec<NotificationEventInput>,
}

/// Extension: an event to publish.
#[derive(Debug, InputObject)]
pub(super) struct NotificationEventInput {
    /// Extension: what happened. `NOTIFICATION_ACTIVATION` is `INVALID_NAME`: only the server itself
    /// publishes it.
    name: NotificationEventName,
    /// Extension: the payload, a JSON object of at most 256 KiB, else `INVALID_PAYLOAD`. If it has no
    /// `__typename`, the payload type of the event's name is added. Numbers arrive with all their digits.
    node: Json,
    /// Extension: your own id of the event, 1 to 255 characters other than control characters, else
    /// `INVALID_IDEMPOTENCY_KEY`. If it was used before in the same organization and environment, nothing
    /// is published and the answer is the event of that time.
    idempotency_key: Option<String>,
}

/// The mutation of publishing.
#[derive(Default)]
pub(super) struct PublishMutations;

#[Object]
impl PublishMutations {
    /// Extension: publishes events in the environment of the API key, all or none, and delivers each to the
    /// `ACTIVE` targets that subscribe to its name. It answers when they are stored durably.
    ///
    /// PLATFORM keys publish for any organization. INTEGRATOR keys publish for their own and in TEST only,
    /// else the payload is an `AccessDeniedError`.
    async fn publish_notification_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Extension: the events.")] input: PublishNotificationEventsInput,
    ) -> Payload<PublishNotificationEventsPayload> {
        // What they take in the answer, before anything is done: afterwards nothing could be refused.
        if let Err(error) = weight(ctx).add_rows(input.events.len().min(limits::EVENTS_PER_CALL), ctx) {
            return payload::of(Err::<PublishedNotificationEvents, _>(error));
        }
        payload::of(publish(app(ctx), caller(ctx), input).await)
    }
}

async fn publish(
    app: &App,
    caller: &Caller,
    input: PublishNotificationEventsInput,
) -> Result<PublishedNotificationEvents> {
    allow(caller)?;
    let mut violations = Violations::default();
    violations.check("events", count(input.events.len()));
    let events = prepare(input.events, &mut violations);
    let scope = violations.join(find_scope(app, caller, input.organization_id).await)?;
    let published = app.publisher.publish(Publication { scope, events }).await?;
    Ok(PublishedNotificationEvents { events: published.into_iter().map(NotificationEvent).collect() })
}

fn allow(caller: &Caller) -> Result<()> {
    if caller.may_publish() {
        return Ok(());
    }
    Err(Error::Denied("INTEGRATOR keys publish events in TEST only. Use a PLATFORM key.".to_owned()))
}

fn count(events: usize) -> Result<(), Violation> {
    let most = limits::EVENTS_PER_CALL;
    if (1..=most).contains(&events) {
        return Ok(());
    }
    Err(Violation::new(Code::InvalidCount, format!("There are {events} events. Give 1 to {most}.")))
}

/// The events in the form in which they are stored, without those that break a rule. Of too many
/// only as many are looked at as there may be.
fn prepare(events: Vec<NotificationEventInput>, violations: &mut Violations) -> Vec<NewEvent> {
    let of_call = events.into_iter().take(limits::EVENTS_PER_CALL).enumerate();
    of_call.filter_map(|(index, event)| prepare_one(index, event, violations)).collect()
}

fn prepare_one(index: usize, event: NotificationEventInput, violations: &mut Violations) -> Option<NewEvent> {
    let at = |field: &'static str| Path::from("events").item(index, field);
    violations.check(at("name"), publishable(event.name));
    let node = violations.check(at("node"), node::prepare(event.name, event.node.0));
    if let Some(key) = &event.idempotency_key {
        violations.check(at("idempotencyKey"), text::idempotency_key(key));
    }
    Some(NewEvent { name: event.name, node: node?, idempotency_key: event.idempotency_key })
}

fn publishable(name: NotificationEventName) -> Result<(), Violation> {
    if name.is_subscribable() {
        return Ok(());
    }
    let description = "Activations are published by the server itself. Use `activateNotificationTarget`.";
    Err(Violation::new(Code::InvalidName, description))
}

/// Where the events happened: for a platform in the named organization, else in the caller's own.
async fn find_scope(app: &App, caller: &Caller, organization: Option<ID>) -> Result<Scope> {
    let Some(id) = organization else { return Ok(caller.scope.clone()) };
    let not_found = || Error::invalid(not_found("organization"), "organizationId");
    let organization = id.parse().map_err(|_| not_found())?;
    if organization == caller.scope.organization {
        return Ok(caller.scope.clone());
    }
    if !caller.is_platform() || organizations::find(app.db.reader(), &organization).await?.is_none() {
        return Err(not_found());
    }
    Ok(Scope { organization, environment: caller.scope.environment })
}
