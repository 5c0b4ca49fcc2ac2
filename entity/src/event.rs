//! What happened: the events that were published, and those that the server makes itself.

use sea_orm::entity::prelude::*;

use crate::{Environment, EventId, EventName, OrganizationId, Timestamp};

/// A notification event. Its id begins with `created_at`, so ranges of time are ranges of ids.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// `nee_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// Whom it concerns.
    pub organization_id: OrganizationId,
    /// Where it happened.
    pub environment: Environment,
    /// What happened; null for a ping test, which has no name.
    pub name: Option<EventName>,
    /// The payload: a JSON object with a `__typename`, as text.
    pub node: String,
    /// The publisher's own id of it, unique within organization and environment (X1).
    pub idempotency_key: Option<String>,
    /// Whether any target ever had a delivery for it (D8).
    pub is_addressed: bool,
    /// When it was published.
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
