//! The URIs that events are sent to.

use sea_orm::entity::prelude::*;

use crate::{Environment, OrganizationId, TargetId, TargetStatus, Timestamp};

/// A notification target.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "target")]
pub struct Model {
    /// `ntt_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TargetId,
    /// Whose target it is.
    pub organization_id: OrganizationId,
    /// Where it was added.
    pub environment: Environment,
    /// What its owner calls it.
    pub name: String,
    /// Where notifications are posted to. It never changes.
    pub uri: String,
    /// Who is told of a deactivation; in the live environment only (T12).
    pub email: Option<String>,
    /// When a mail to this address was given up last; null if none was.
    pub email_failed_at: Option<Timestamp>,
    /// Where its life stands.
    pub status: TargetStatus,
    /// When it was added.
    pub created_at: Timestamp,
    /// When anything of this row changed last.
    pub updated_at: Timestamp,
    /// When it was deactivated last; it stays after a new activation (T6).
    pub deactivated_at: Option<Timestamp>,
    /// When it became active last; null if it never was.
    pub activated_at: Option<Timestamp>,
    /// How often it was deactivated. Deliveries of an earlier epoch are not sent any more (D4).
    pub epoch: i32,
    /// How often its signing key was rotated: who knows its keys sees by it whether they still are.
    pub rotations: i32,
}

impl ActiveModelBehavior for ActiveModel {}
