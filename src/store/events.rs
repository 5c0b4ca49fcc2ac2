//! The events: publishing them together with their deliveries, and forgetting them when they expire.
//!
//! Publishing takes many calls at once, so that they can share one transaction; the number of statements does
//! not depend on how many.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use entity::{
    DeliveryState, EventId, EventName, NotificationEventName, OrganizationId, Purpose, TargetId, Timestamp,
    attempt, delivery, event, subscription, target,
};
use futures_util::StreamExt;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, StreamTrait,
};

use crate::error::Result;
use crate::rules::target_status::{self, Reception};
use crate::store::bulk::{Script, filled_up};
use crate::store::{Scope, attempts, deliveries, targets};

/// What one caller publishes: events that are recorded all or none.
#[derive(Debug)]
pub struct Publication {
    /// Whose events they are.
    pub scope: Scope,
    /// The events, in order.
    pub events: Vec<NewEvent>,
}

/// An event about to be published.
#[derive(Debug)]
pub struct NewEvent {
    /// What happened.
    pub name: NotificationEventName,
    /// The payload, as JSON text with a `__typename`.
    pub node: String,
    /// The publisher's own id of it: the second time it publishes nothing (X1).
    pub idempotency_key: Option<String>,
}

/// What is about to be published, and who has to hear of it.
#[derive(Debug)]
pub(crate) struct Sketch {
    /// How many events each publication has.
    sizes: Vec<usize>,
    events: Vec<event::Model>,
    subscribers: Subscribers,
}

impl Sketch {
    /// Makes events of publications, and looks for those who subscribe to them.
    pub(crate) async fn of(
        db: &impl ConnectionTrait,
        publications: &[Publication],
        now: Timestamp,
    ) -> Result<Self> {
        let subscribers = Subscribers::of(db, publications).await?;
        let events = publications
            .iter()
            .flat_map(|publication| publication.events.iter().map(|new| (&publication.scope, new)))
            .map(|(scope, new)| row(scope, new, subscribers.of_event(scope, new.name).is_some(), now))
            .collect();
        let sizes = publications.iter().map(|publication| publication.events.len()).collect();
        Ok(Self { sizes, events, subscribers })
    }

    /// The targets that events are sent to.
    pub(crate) fn targets(&self) -> Vec<target::Model> {
        let targets = self.subscribers.targets.values();
        targets.filter(|target| target_status::receives_events(target.status)).cloned().collect()
    }

    /// Whether some of it may have been published before.
    pub(crate) fn has_keys(&self) -> bool {
        self.keyed().next().is_some()
    }

    /// Inserts the events whose keys are new. Answers, by the id that was not used, the event that
    /// has the key already. The unique index decides, so concurrent callers cannot both be first. Whoever
    /// comes second to a key waits for the first; all go by the order of the keys, so that no two wait for
    /// each other.
    pub(crate) async fn insert_keyed(&self, tx: &impl ConnectionTrait) -> Result<Repeated> {
        let mut keyed: Vec<&event::Model> = self.keyed().collect();
        keyed.sort_by(|a, b| order_of_keys(a).cmp(&order_of_keys(b)));
        let mut script = Script::new(tx);
        script.insert::<event::Entity>(keyed.iter().copied(), "ON CONFLICT DO NOTHING");
        script.run(tx).await?;
        made_before(tx, &keyed).await
    }

    fn keyed(&self) -> impl Iterator<Item = &event::Model> {
        self.events.iter().filter(|event| event.idempotency_key.is_some())
    }

    /// What is to be written, but for those that were published before. Deliveries that are not to be
    /// made end at once.
    pub(crate) fn publish(self, db: &impl ConnectionTrait, repeated: &Repeated, now: Timestamp) -> Published {
        let Self { sizes, events, subscribers } = self;
        let mut script = Script::new(db);
        script.insert::<event::Entity>(events.iter().filter(|event| event.idempotency_key.is_none()), "");
        let mut due = Vec::new();
        let mut missed = Missed::default();
        for event in events.iter().filter(|event| !repeated.contains_key(&event.id)) {
            for target in subscribers.hear_of(event) {
                let row = deliveries::waiting(&event.id, &target.id, Purpose::Event, target.epoch, now);
                match target_status::reception(target.status) {
                    Reception::Sent => due.push(row),
                    Reception::Skipped => missed.add(row, target, now),
                    Reception::Nothing => {}
                }
            }
        }
        missed.insert(&mut script);
        let mut events = events.into_iter().map(|event| repeated.get(&event.id).cloned().unwrap_or(event));
        let events = sizes.into_iter().map(|size| events.by_ref().take(size).collect()).collect();
        Published { events, due, script }
    }
}

/// The events that hold keys that were to be used once more, by the ids that were not used.
pub(crate) type Repeated = HashMap<EventId, event::Model>;

/// What is published, and what is still to be written.
#[derive(Debug)]
pub(crate) struct Published {
    /// For each publication its events, in order; for a key used before, the event that it made first.
    pub events: Vec<Vec<event::Model>>,
    /// The deliveries that are due now.
    pub due: Vec<delivery::Model>,
    /// Writes all else.
    script: Script,
}

impl Published {
    /// What writes it down, deliveries included (D1), and for each publication its events.
    pub(crate) fn written(self) -> (Script, Vec<Vec<event::Model>>) {
        let Self { events, due, mut script } = self;
        deliveries::insert_all(&mut script, &due);
        (script, events)
    }
}

/// Records an event that the server makes itself for one target, due at once.
pub(crate) async fn publish_to(
    tx: &impl ConnectionTrait,
    target: &target::Model,
    purpose: Purpose,
    (name, node): (Option<NotificationEventName>, &str),
    now: Timestamp,
) -> Result<event::Model> {
    let event = event::Model {
        id: EventId::new(now),
        organization_id: target.organization_id.clone(),
        environment: target.environment,
        name: name.map(EventName::from),
        node: node.to_owned(),
        idempotency_key: None,
        is_addressed: true,
        created_at: now,
    };
    event::Entity::insert(event.clone().into_active_model()).exec_without_returning(tx).await?;
    let row = deliveries::waiting(&event.id, &target.id, purpose, target.epoch, now);
    delivery::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(event)
}

/// The scope's event of this id.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: &EventId,
) -> Result<Option<event::Model>> {
    Ok(scope.events().filter(event::Column::Id.eq(id)).one(db).await?)
}

/// The scope's events of these ids.
pub(crate) async fn find_all(
    db: &impl StreamTrait,
    scope: &Scope,
    ids: &[EventId],
    room: impl Fn(&event::Model) -> Result<()>,
) -> Result<Vec<event::Model>> {
    let found = scope.events().filter(event::Column::Id.is_in(ids.iter().cloned())).into_query();
    let (mut rows, mut events) = (pin!(db.stream(&found).await?), Vec::new());
    while let Some(row) = rows.next().await.transpose()? {
        let event = event::Model::from_query_result(&row, "")?;
        room(&event)?;
        events.push(event);
    }
    Ok(events)
}

/// The events of any scope: for the delivery engine.
pub(crate) async fn list(db: &impl ConnectionTrait, ids: Vec<EventId>) -> Result<Vec<event::Model>> {
    Ok(event::Entity::find().filter(event::Column::Id.is_in(filled_up(ids))).all(db).await?)
}

/// Notes that the event has a delivery now (D8), and holds it until the transaction ends. None: it has been
/// removed meanwhile.
pub(crate) async fn mark_addressed(
    tx: &impl ConnectionTrait,
    mut event: event::Model,
) -> Result<Option<event::Model>> {
    let marked = event::Entity::update_many()
        .col_expr(event::Column::IsAddressed, Expr::value(true))
        .filter(event::Column::Id.eq(&event.id))
        .exec(tx)
        .await?;
    event.is_addressed = true;
    Ok((marked.rows_affected == 1).then_some(event))
}

/// Forgets up to `limit` events published before `until`, with their deliveries and attempts (D9).
///
/// An id begins with its time, so the oldest events stand first in the primary key.
pub(crate) async fn remove_expired(tx: &impl ConnectionTrait, until: Timestamp, limit: u64) -> Result<u64> {
    let expired: Vec<EventId> = event::Entity::find()
        .select_only()
        .column(event::Column::Id)
        .filter(event::Column::Id.lt(EventId::first_at(until)))
        .order_by_asc(event::Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(tx)
        .await?;
    if expired.is_empty() {
        return Ok(0);
    }
    attempt::Entity::delete_many().filter(attempt::Column::EventId.is_in(expired.clone())).exec(tx).await?;
    delivery::Entity::delete_many().filter(delivery::Column::EventId.is_in(expired.clone())).exec(tx).await?;
    let removed = event::Entity::delete_many().filter(event::Column::Id.is_in(expired)).exec(tx).await?;
    Ok(removed.rows_affected)
}

fn row(scope: &Scope, new: &NewEvent, is_addressed: bool, now: Timestamp) -> event::Model {
    event::Model {
        id: EventId::new(now),
        organization_id: scope.organization.clone(),
        environment: scope.environment,
        name: Some(new.name.into()),
        node: new.node.clone(),
        idempotency_key: new.idempotency_key.clone(),
        is_addressed,
        created_at: now,
    }
}

async fn made_before(tx: &impl ConnectionTrait, rows: &[&event::Model]) -> Result<Repeated> {
    let mut same_scope: HashMap<Scope, Vec<&str>> = HashMap::new();
    for row in rows {
        same_scope.entry(scope_of(row)).or_default().extend(row.idempotency_key.as_deref());
    }
    let mut by_key: HashMap<(Scope, String), event::Model> = HashMap::new();
    for (scope, keys) in same_scope {
        let found = scope.events().filter(event::Column::IdempotencyKey.is_in(keys)).all(tx).await?;
        by_key.extend(
            found.into_iter().filter_map(|row| Some(((scope.clone(), row.idempotency_key.clone()?), row))),
        );
    }
    let holder = |row: &event::Model| by_key.get(&(scope_of(row), row.idempotency_key.clone()?)).cloned();
    Ok(rows
        .iter()
        .filter_map(|row| Some((row.id.clone(), holder(row)?)))
        .filter(|(id, holder)| *id != holder.id)
        .collect())
}

fn known_name(event: &event::Model) -> Option<NotificationEventName> {
    event.name.as_ref().and_then(EventName::known)
}

fn order_of_keys(event: &event::Model) -> (&OrganizationId, &str, Option<&str>) {
    (&event.organization_id, event.environment.word(), event.idempotency_key.as_deref())
}

fn scope_of(event: &event::Model) -> Scope {
    Scope { organization: event.organization_id.clone(), environment: event.environment }
}

/// Who has to hear of what: the targets with deliveries, and which events go to which of them.
#[derive(Debug, Default)]
struct Subscribers {
    targets: HashMap<TargetId, target::Model>,
    by_event: HashMap<Scope, HashMap<NotificationEventName, Vec<TargetId>>>,
}

impl Subscribers {
    async fn of(tx: &impl ConnectionTrait, publications: &[Publication]) -> Result<Self> {
        let scopes: HashSet<&Scope> = publications.iter().map(|publication| &publication.scope).collect();
        let names: HashSet<NotificationEventName> =
            publications.iter().flat_map(|publication| &publication.events).map(|event| event.name).collect();
        let mut of_scopes = Condition::any();
        for scope in scopes {
            let same_organization = target::Column::OrganizationId.eq(&scope.organization);
            of_scopes =
                of_scopes.add(same_organization.and(target::Column::Environment.eq(scope.environment)));
        }
        let rows = subscription::Entity::find()
            .find_both_related(target::Entity)
            .filter(of_scopes)
            .filter(subscription::Column::EventName.is_in(names))
            .filter(targets::has_status(|status| target_status::reception(status) != Reception::Nothing))
            .all(tx)
            .await?;
        let mut subscribers = Self::default();
        for (subscription, target) in rows {
            let scope =
                Scope { organization: target.organization_id.clone(), environment: target.environment };
            let by_name = subscribers.by_event.entry(scope).or_default();
            by_name.entry(subscription.event_name).or_default().push(target.id.clone());
            subscribers.targets.insert(target.id.clone(), target);
        }
        Ok(subscribers)
    }

    fn hear_of(&self, event: &event::Model) -> impl Iterator<Item = &target::Model> {
        let targets =
            known_name(event).and_then(|name| self.of_event(&scope_of(event), name)).unwrap_or_default();
        targets.iter().filter_map(|id| self.targets.get(id))
    }

    fn of_event(&self, scope: &Scope, name: NotificationEventName) -> Option<&[TargetId]> {
        Some(self.by_event.get(scope)?.get(&name)?)
    }
}

/// Deliveries that end at once, because their target is deactivated (D1).
#[derive(Default)]
struct Missed {
    deliveries: Vec<delivery::Model>,
    attempts: Vec<attempt::Model>,
}

impl Missed {
    fn add(&mut self, row: delivery::Model, target: &target::Model, now: Timestamp) {
        self.attempts.push(attempts::skipped(&row.event_id, &row.target_id, &target.uri, now));
        let state = DeliveryState::Skipped;
        self.deliveries.push(delivery::Model { state, due_at: None, succeeded: Some(false), ..row });
    }

    fn insert(&self, script: &mut Script) {
        deliveries::insert_all(script, &self.deliveries);
        attempts::insert_all(script, &self.attempts);
    }
}
