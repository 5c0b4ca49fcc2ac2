//! The targets: adding, changing and removing them, and the one function
//! through which a status changes.

use entity::{
    NotificationEventName, OrganizationId, TargetId, TargetStatus, Timestamp, subscription, target,
};
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Iterable, JoinType,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, RelationTrait, Set,
};

use crate::error::Result;
use crate::rules::target_status;
use crate::store::bulk::filled_up;
use crate::store::{Scope, status_changes};

/// A target about to be added.
#[derive(Debug)]
pub(crate) struct NewTarget {
    /// What its owner calls it.
    pub name: String,
    /// Where notifications are posted to.
    pub uri: String,
    /// Who is told of a deactivation.
    pub email: Option<String>,
}

/// Adds a target that waits to be verified (T3).
pub(crate) async fn add(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    new: NewTarget,
    now: Timestamp,
) -> Result<target::Model> {
    let row = target::Model {
        id: TargetId::new(now),
        organization_id: scope.organization.clone(),
        environment: scope.environment,
        name: new.name,
        uri: new.uri,
        email: new.email,
        email_failed_at: None,
        status: target_status::FIRST,
        created_at: now,
        updated_at: now,
        deactivated_at: None,
        activated_at: None,
        epoch: 0,
        rotations: 0,
    };
    let target = row.into_active_model().insert(tx).await?;
    status_changes::add(tx, &target.id, None, target.status, now).await?;
    Ok(target)
}

/// The target, held against changes by others until the transaction ends.
pub(crate) async fn find_to_change(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    id: &TargetId,
) -> Result<Option<target::Model>> {
    let one = scope.targets().filter(target::Column::Id.eq(id));
    Ok(one.lock_exclusive().one(tx).await?)
}

/// The scope's targets of these ids.
pub(crate) async fn find_all(
    db: &impl ConnectionTrait,
    scope: &Scope,
    ids: &[TargetId],
) -> Result<Vec<target::Model>> {
    Ok(scope.targets().filter(target::Column::Id.is_in(ids.iter().cloned())).all(db).await?)
}

/// The targets of the scope that subscribe to the name and receive events, by their ids; of `only` if that is
/// given (R1).
pub(crate) async fn subscribed(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    name: NotificationEventName,
    only: Option<Vec<TargetId>>,
) -> Result<Vec<target::Model>> {
    let subscribed = scope
        .targets()
        .join(JoinType::InnerJoin, subscription::Relation::Target.def().rev())
        .filter(subscription::Column::EventName.eq(name))
        .filter(has_status(target_status::receives_events))
        .apply_if(only, |targets, ids| targets.filter(target::Column::Id.is_in(ids)));
    Ok(subscribed.order_by_asc(target::Column::Id).all(tx).await?)
}

/// The targets of any scope, held against changes by others. Always locked in the
/// same order, so that two workers cannot wait for each other.
pub(crate) async fn lock_all(tx: &impl ConnectionTrait, ids: Vec<TargetId>) -> Result<Vec<target::Model>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let all = target::Entity::find().filter(target::Column::Id.is_in(filled_up(ids)));
    Ok(all.order_by_asc(target::Column::Id).lock_exclusive().all(tx).await?)
}

/// The targets of any scope: for the delivery engine.
pub(crate) async fn list(db: &impl ConnectionTrait, ids: Vec<TargetId>) -> Result<Vec<target::Model>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(target::Entity::find().filter(target::Column::Id.is_in(filled_up(ids))).all(db).await?)
}

/// How many targets the scope has.
pub(crate) async fn count(tx: &impl ConnectionTrait, scope: &Scope) -> Result<u64> {
    Ok(scope.targets().count(tx).await?)
}

/// How many targets of the scope count towards its limit (T7).
pub(crate) async fn count_towards_limit(tx: &impl ConnectionTrait, scope: &Scope) -> Result<u64> {
    let counted = scope.targets().filter(has_status(target_status::counts_towards_limit));
    Ok(counted.count(tx).await?)
}

/// That a target has one of the statuses for which the rule holds.
pub(crate) fn has_status(rule: impl Fn(TargetStatus) -> bool) -> Expr {
    let statuses: Vec<TargetStatus> = TargetStatus::iter().filter(|status| rule(*status)).collect();
    match statuses[..] {
        [status] => target::Column::Status.eq(status),
        _ => target::Column::Status.is_in(statuses),
    }
}

/// Gives it another name (T9).
pub(crate) async fn rename(
    tx: &impl ConnectionTrait,
    target: target::Model,
    name: String,
    now: Timestamp,
) -> Result<target::Model> {
    change(tx, target, now, |row| row.name = Set(name)).await
}

/// Sets or removes the address that is told of a deactivation (T12).
pub(crate) async fn set_email(
    tx: &impl ConnectionTrait,
    target: target::Model,
    email: Option<String>,
    now: Timestamp,
) -> Result<target::Model> {
    change(tx, target, now, |row| {
        row.email = Set(email);
        row.email_failed_at = Set(None);
    })
    .await
}

/// Notes that a mail to this address was given up, if it is still the target's.
pub(crate) async fn note_email_failure(
    tx: &impl ConnectionTrait,
    id: &TargetId,
    email: &str,
    now: Timestamp,
) -> Result<()> {
    target::Entity::update_many()
        .col_expr(target::Column::EmailFailedAt, Expr::value(now))
        .filter(target::Column::Id.eq(id))
        .filter(target::Column::Email.eq(email))
        .exec(tx)
        .await?;
    Ok(())
}

/// Marks that the set of its subscriptions has changed.
pub(crate) async fn touch(
    tx: &impl ConnectionTrait,
    target: target::Model,
    now: Timestamp,
) -> Result<target::Model> {
    change(tx, target, now, |_| {}).await
}

/// Counts that its signing key was rotated.
pub(crate) async fn count_rotation(
    tx: &impl ConnectionTrait,
    target: target::Model,
) -> Result<target::Model> {
    let rotations = target.rotations + 1;
    let mut row = target.into_active_model();
    row.rotations = Set(rotations);
    Ok(row.update(tx).await?)
}

/// Moves it to another status and writes that into its history (T8).
///
/// Deactivation begins a new epoch: what waited for the target until now is not sent any more (D4).
pub(crate) async fn set_status(
    tx: &impl ConnectionTrait,
    target: target::Model,
    status: TargetStatus,
    now: Timestamp,
) -> Result<target::Model> {
    status_changes::add(tx, &target.id, Some(target.status), status, now).await?;
    let epoch = target.epoch;
    change(tx, target, now, |row| {
        row.status = Set(status);
        if target_status::ends_what_waits(status) {
            row.deactivated_at = Set(Some(now));
            row.epoch = Set(epoch + 1);
        }
        if target_status::receives_events(status) {
            row.activated_at = Set(Some(now));
        }
    })
    .await
}

/// Writes changes of its columns, and when they were made.
async fn change(
    tx: &impl ConnectionTrait,
    target: target::Model,
    now: Timestamp,
    set: impl FnOnce(&mut target::ActiveModel),
) -> Result<target::Model> {
    let mut row = target.into_active_model();
    set(&mut row);
    row.updated_at = Set(now);
    Ok(row.update(tx).await?)
}

/// Removes it for good, with subscriptions, keys and history (T10). Its deliveries
/// end when a worker comes upon them; its attempts stay with their events.
pub(crate) async fn remove(tx: &impl ConnectionTrait, id: &TargetId) -> Result<()> {
    target::Entity::delete_by_id(id.clone()).exec(tx).await?;
    Ok(())
}

/// Removes up to `limit` targets that have been deactivated since before `until` (T11), and answers which.
pub(crate) async fn remove_deactivated(
    tx: &impl ConnectionTrait,
    until: Timestamp,
    limit: u64,
) -> Result<Vec<(TargetId, OrganizationId)>> {
    let forgotten: Vec<(TargetId, OrganizationId)> = target::Entity::find()
        .select_only()
        .columns([target::Column::Id, target::Column::OrganizationId])
        .filter(has_status(target_status::is_removed_in_time))
        .filter(target::Column::DeactivatedAt.lt(until))
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(tx)
        .await?;
    let ids = forgotten.iter().map(|(id, _)| id.clone());
    target::Entity::delete_many().filter(target::Column::Id.is_in(ids)).exec(tx).await?;
    Ok(forgotten)
}
