//! The audit trail: who changed what, and when.
//!
//! An entry is written in the transaction of its change, so there is neither without
//! the other. There is no statement here that changes or removes one.

use std::time::Duration;

use entity::{ApiKeyId, AuditAction, AuditEntryId, Timestamp, audit_entry};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use crate::error::Result;
use crate::store::Scope;

/// What there is to note.
#[derive(Debug)]
pub(crate) struct Note<'a> {
    /// With which key of the scope; none for whoever runs the server.
    pub key: Option<&'a ApiKeyId>,
    /// What was done.
    pub action: AuditAction,
    /// The id of what it was done to.
    pub subject: String,
}

/// Adds an entry to the trail of the scope.
pub(crate) async fn add(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    note: Note<'_>,
    now: Timestamp,
) -> Result<()> {
    let row = audit_entry::Model {
        id: AuditEntryId::new(now),
        organization_id: scope.organization.clone(),
        environment: scope.environment,
        api_key_id: note.key.cloned(),
        action: note.action,
        subject_id: note.subject,
        created_at: now,
    };
    audit_entry::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(())
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// What sends an activation notification.
const ACTIVATIONS: [AuditAction; 2] = [AuditAction::TargetAdded, AuditAction::TargetActivated];

/// When the `nth` newest activation of the scope's targets was begun, the newest being the first; none if
/// that was not after `since`, or never. Looks no further back than either.
pub(crate) async fn activation(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    nth: u32,
    since: Timestamp,
) -> Result<Option<Timestamp>> {
    let mut begun_at: Vec<Timestamp> = Vec::new();
    // One by one, so that an index can lead to the newest of each and others are not looked at.
    for action in ACTIVATIONS {
        let newest = scope
            .audit_entries()
            .select_only()
            .column(audit_entry::Column::CreatedAt)
            .filter(audit_entry::Column::Action.eq(action))
            .filter(audit_entry::Column::Id.gte(AuditEntryId::first_at(since + MILLISECOND)))
            .order_by_desc(audit_entry::Column::Id)
            .limit(u64::from(nth));
        begun_at.extend(newest.into_tuple::<Timestamp>().all(tx).await?);
    }
    begun_at.sort_unstable_by(|a, b| b.cmp(a));
    Ok(begun_at.get((nth as usize).saturating_sub(1)).copied())
}
