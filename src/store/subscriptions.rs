//! Which target wants to hear of which events: a set (T13).

use std::collections::HashMap;

use entity::{EventName, NotificationEventName, TargetId, subscription};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use crate::error::Result;
use crate::store::Scope;

/// Adds names to the set, and answers how many were new. What is there already, and what cannot be
/// subscribed to, changes nothing.
pub(crate) async fn add(
    tx: &impl ConnectionTrait,
    target: &TargetId,
    names: impl IntoIterator<Item = NotificationEventName>,
) -> Result<u64> {
    let rows = names
        .into_iter()
        .filter(|name| name.is_subscribable())
        .map(|event_name| subscription::Model { target_id: target.clone(), event_name }.into_active_model());
    let added = subscription::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx);
    Ok(added.await?)
}

/// Takes names out of the set, and answers how many. Absent ones change nothing.
pub(crate) async fn remove(
    tx: &impl ConnectionTrait,
    target: &TargetId,
    names: impl IntoIterator<Item = NotificationEventName>,
) -> Result<u64> {
    let removed = subscription::Entity::delete_many()
        .filter(subscription::Column::TargetId.eq(target))
        .filter(subscription::Column::EventName.is_in(names))
        .exec(tx);
    Ok(removed.await?.rows_affected)
}

/// The sets of the scope's targets of these ids, each in the order of the names. Names that only a newer
/// version of the server knows are left out.
pub(crate) async fn of_targets(
    db: &impl ConnectionTrait,
    scope: &Scope,
    targets: &[TargetId],
) -> Result<HashMap<TargetId, Vec<NotificationEventName>>> {
    let rows = scope
        .subscriptions()
        .filter(subscription::Column::TargetId.is_in(targets.iter().cloned()))
        .select_only()
        .columns([subscription::Column::TargetId, subscription::Column::EventName])
        .order_by_asc(subscription::Column::EventName)
        .into_tuple::<(TargetId, EventName)>()
        .all(db)
        .await?;
    let mut sets: HashMap<_, Vec<_>> = targets.iter().map(|target| (target.clone(), Vec::new())).collect();
    for (target, name) in rows {
        sets.entry(target).or_default().extend(name.known());
    }
    Ok(sets)
}
