//! The lists that callers page through: what is in each, and what its order goes by.
//!
//! Each is selected from the caller's [`Scope`] and ordered by an id that begins
//! with its time, newest first (G8). They are read by [`pages`](super::pages),
//! many of one kind with one statement.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::str::FromStr;
use std::time::Duration;

use entity::{
    ApiKeyId, AttemptId, AuditEntryId, EventId, NotificationEventName, StatusChangeId, TargetId, api_key,
    attempt, audit_entry, delivery, event, status_change, target,
};
use sea_orm::sea_query::{Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QueryTrait, Select};

use crate::rules::time_filter::Bounds;
use crate::store::Scope;

const MILLISECOND: Duration = Duration::from_millis(1);

/// The row of a list.
pub(crate) type Row<L> = <<L as List>::Entity as EntityTrait>::Model;

/// A list: the key by which pages of it are asked for.
pub(crate) trait List: Clone + Eq + Hash + Send + Sync + 'static {
    /// The table that its rows are of.
    type Entity: EntityTrait<Model: FromQueryResult + Clone + Send + Sync>;
    /// The id that it is ordered by.
    type Id: FromStr;
    /// The column of that id.
    const ID: <Self::Entity as EntityTrait>::Column;

    /// Tells it from all other lists of the same scope.
    fn label(&self) -> String;

    /// Its rows, in no order.
    fn rows(&self, scope: &Scope) -> Select<Self::Entity>;

    /// The id of a row.
    fn id(row: &Row<Self>) -> &str;

    /// How long the texts of a row are that may be long.
    fn text_bytes(_: &Row<Self>) -> usize {
        0
    }
}

/// The targets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Targets;

impl List for Targets {
    type Entity = target::Entity;
    type Id = TargetId;
    const ID: target::Column = target::Column::Id;

    fn label(&self) -> String {
        "targets".to_owned()
    }

    fn rows(&self, scope: &Scope) -> Select<target::Entity> {
        scope.targets()
    }

    fn id(row: &target::Model) -> &str {
        row.id.as_str()
    }
}

/// The API keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ApiKeys;

impl List for ApiKeys {
    type Entity = api_key::Entity;
    type Id = ApiKeyId;
    const ID: api_key::Column = api_key::Column::Id;

    fn label(&self) -> String {
        "keys".to_owned()
    }

    fn rows(&self, scope: &Scope) -> Select<api_key::Entity> {
        scope.api_keys()
    }

    fn id(row: &api_key::Model) -> &str {
        row.id.as_str()
    }
}

/// The audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AuditTrail;

impl List for AuditTrail {
    type Entity = audit_entry::Entity;
    type Id = AuditEntryId;
    const ID: audit_entry::Column = audit_entry::Column::Id;

    fn label(&self) -> String {
        "audit".to_owned()
    }

    fn rows(&self, scope: &Scope) -> Select<audit_entry::Entity> {
        scope.audit_entries()
    }

    fn id(row: &audit_entry::Model) -> &str {
        row.id.as_str()
    }
}

/// The events that a filter lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Events {
    /// When they were published.
    pub created: Bounds,
    /// What they are called; none of them if the set is empty.
    pub names: Option<BTreeSet<NotificationEventName>>,
}

impl List for Events {
    type Entity = event::Entity;
    type Id = EventId;
    const ID: event::Column = event::Column::Id;

    fn label(&self) -> String {
        "events".to_owned()
    }

    fn rows(&self, scope: &Scope) -> Select<event::Entity> {
        let names = self.names.clone().map(|names| event::Column::Name.is_in(names));
        scope.events().filter(within(event::Column::Id, &self.created)).apply_if(names, QueryFilter::filter)
    }

    fn id(row: &event::Model) -> &str {
        row.id.as_str()
    }

    fn text_bytes(row: &event::Model) -> usize {
        row.node.len()
    }
}

/// The deliveries to a target that a filter lets through, by their events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DeliveriesTo {
    /// The target.
    pub target: TargetId,
    /// Which events.
    pub events: Events,
    /// Whether the latest attempt succeeded, of those that have one.
    pub succeeded: Option<bool>,
}

impl List for DeliveriesTo {
    type Entity = delivery::Entity;
    type Id = EventId;
    const ID: delivery::Column = delivery::Column::EventId;

    fn label(&self) -> String {
        format!("deliveries:{}", self.target)
    }

    fn rows(&self, scope: &Scope) -> Select<delivery::Entity> {
        let names = self.events.names.clone().map(|names| event::Column::Name.is_in(names));
        scope
            .deliveries()
            .filter(delivery::Column::TargetId.eq(&self.target))
            .filter(within(delivery::Column::EventId, &self.events.created))
            .apply_if(names, QueryFilter::filter)
            .apply_if(self.succeeded.map(succeeded), QueryFilter::filter)
    }

    fn id(row: &delivery::Model) -> &str {
        row.event_id.as_str()
    }
}

/// The attempts to deliver an event, to all targets or to one; or all attempts on a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Attempts {
    /// Of an event.
    Of(EventId),
    /// On a target.
    On(TargetId),
    /// Of an event, on a target.
    OfOn(EventId, TargetId),
}

impl List for Attempts {
    type Entity = attempt::Entity;
    type Id = AttemptId;
    const ID: attempt::Column = attempt::Column::Id;

    fn label(&self) -> String {
        match self {
            Self::Of(event) => format!("attempts:{event}"),
            Self::On(target) => format!("attempts:{target}"),
            Self::OfOn(event, target) => format!("attempts:{event}:{target}"),
        }
    }

    fn rows(&self, scope: &Scope) -> Select<attempt::Entity> {
        let rows = scope.attempts();
        match self {
            Self::Of(event) => rows.filter(attempt::Column::EventId.eq(event)),
            Self::On(target) => rows.filter(attempt::Column::TargetId.eq(target)),
            Self::OfOn(event, target) => {
                rows.filter(attempt::Column::EventId.eq(event)).filter(among(target))
            }
        }
    }

    fn id(row: &attempt::Model) -> &str {
        row.id.as_str()
    }

    fn text_bytes(row: &attempt::Model) -> usize {
        row.response_excerpt.as_ref().map_or(0, String::len)
    }
}

/// The history of a target's status.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StatusHistory(pub TargetId);

impl List for StatusHistory {
    type Entity = status_change::Entity;
    type Id = StatusChangeId;
    const ID: status_change::Column = status_change::Column::Id;

    fn label(&self) -> String {
        format!("history:{}", self.0)
    }

    fn rows(&self, scope: &Scope) -> Select<status_change::Entity> {
        scope.status_changes().filter(status_change::Column::TargetId.eq(&self.0))
    }

    fn id(row: &status_change::Model) -> &str {
        row.id.as_str()
    }
}

/// Puts bounds on when events were published. Their ids begin with that time, so the
/// bounds are a range in the index that the list is read from anyway.
fn within(id: impl ColumnTrait, bounds: &Bounds) -> Condition {
    let from = |start| id.gte(EventId::first_at(start));
    let until = |end| id.lt(EventId::first_at(end + MILLISECOND));
    let outside =
        |start, end| id.lt(EventId::first_at(start)).or(id.gte(EventId::first_at(end + MILLISECOND)));
    Condition::all()
        .add_option(bounds.from.map(from))
        .add_option(bounds.until.map(until))
        .add_option(bounds.except.map(|span| outside(span.start, span.end)))
}

/// Looks for the target among the attempts of an event, which are few. Named plainly, its index would
/// be taken, and with it every attempt that was ever made on the target.
fn among(target: &TargetId) -> SimpleExpr {
    let column = Expr::col((attempt::Entity, attempt::Column::TargetId));
    Expr::expr(Func::coalesce([column, Expr::val("")])).eq(target)
}

/// Written in the words of the index of what targets missed, or it would not be used.
fn succeeded(succeeded: bool) -> SimpleExpr {
    let column = Expr::col((delivery::Entity, delivery::Column::Succeeded));
    if succeeded { column } else { column.not() }
}
