//! Whose data a request may see. Every select of a caller's rows is made here,
//! so there is no filter to forget (T1).

use entity::{
    Environment, OrganizationId, api_key, attempt, audit_entry, delivery, event, signing_key, status_change,
    subscription, target,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, RelationTrait, Select};

/// One organization in one environment, proven by an API key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The organization.
    pub organization: OrganizationId,
    /// The environment.
    pub environment: Environment,
}

impl Scope {
    /// Its API keys, revoked ones too.
    pub fn api_keys(&self) -> Select<api_key::Entity> {
        api_key::Entity::find()
            .filter(api_key::Column::OrganizationId.eq(&self.organization))
            .filter(api_key::Column::Environment.eq(self.environment))
    }

    /// Its audit trail.
    pub fn audit_entries(&self) -> Select<audit_entry::Entity> {
        audit_entry::Entity::find()
            .filter(audit_entry::Column::OrganizationId.eq(&self.organization))
            .filter(audit_entry::Column::Environment.eq(self.environment))
    }

    /// Its targets.
    pub fn targets(&self) -> Select<target::Entity> {
        self.of_target(target::Entity::find())
    }

    /// The subscriptions of its targets.
    pub fn subscriptions(&self) -> Select<subscription::Entity> {
        self.of_target(subscription::Entity::find().inner_join(target::Entity))
    }

    /// The signing keys of its targets.
    pub fn signing_keys(&self) -> Select<signing_key::Entity> {
        self.of_target(signing_key::Entity::find().inner_join(target::Entity))
    }

    /// The histories of its targets.
    pub fn status_changes(&self) -> Select<status_change::Entity> {
        self.of_target(status_change::Entity::find().inner_join(target::Entity))
    }

    /// Its events.
    pub fn events(&self) -> Select<event::Entity> {
        self.of_event(event::Entity::find())
    }

    /// The deliveries of its events.
    pub fn deliveries(&self) -> Select<delivery::Entity> {
        self.of_event(
            delivery::Entity::find().join(sea_orm::JoinType::InnerJoin, delivery::Relation::Event.def()),
        )
    }

    /// The attempts to deliver its events.
    pub fn attempts(&self) -> Select<attempt::Entity> {
        self.of_event(
            attempt::Entity::find().join(sea_orm::JoinType::InnerJoin, attempt::Relation::Event.def()),
        )
    }

    fn of_target<E: EntityTrait>(&self, rows: Select<E>) -> Select<E> {
        rows.filter(target::Column::OrganizationId.eq(&self.organization))
            .filter(target::Column::Environment.eq(self.environment))
    }

    fn of_event<E: EntityTrait>(&self, rows: Select<E>) -> Select<E> {
        rows.filter(event::Column::OrganizationId.eq(&self.organization))
            .filter(event::Column::Environment.eq(self.environment))
    }
}
