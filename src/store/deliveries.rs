//! The work to be done: scheduling, claiming and skipping deliveries.
//!
//! Who claims a delivery moves its `due_at` to the end of a lease and counts its
//! `claim` up; nothing stays locked. When a worker dies, the lease runs out and
//! the row is due again. What a claim costs does not depend on how much waits
//! elsewhere: each target's rows stand together in an index of what is due.

use std::collections::HashSet;

use entity::{DeliveryState, EventId, Purpose, TargetId, TargetStatus, Timestamp, delivery, event, target};
use sea_orm::sea_query::{
    Asterisk, CommonTableExpression, Expr, ExprTrait, LockBehavior, LockType, OnConflict, Query,
    SelectStatement, UnionType, WithClause,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, Iterable, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Statement, Value,
};

use crate::error::Result;
use crate::store::{attempts, bulk};

/// A delivery that is due at once.
pub fn waiting(
    event: &EventId,
    target: &TargetId,
    purpose: Purpose,
    epoch: i32,
    now: Timestamp,
) -> delivery::Model {
    delivery::Model {
        event_id: event.clone(),
        target_id: target.clone(),
        purpose,
        state: DeliveryState::Waiting,
        replay: false,
        queued_at: now,
        due_at: Some(now),
        attempts: 0,
        is_retry: false,
        claim: 0,
        epoch,
        succeeded: None,
    }
}

/// Schedules new deliveries.
pub async fn insert_all(tx: &impl ConnectionTrait, rows: &[delivery::Model]) -> Result<()> {
    bulk::insert::<delivery::Entity>(tx, rows, "").await
}

/// Schedules the event for these targets once more, with the full number of attempts (R3).
///
/// Whoever has claimed one of them meanwhile has lost it: the claim is counted up.
pub async fn replay(
    tx: &impl ConnectionTrait,
    event: &event::Model,
    targets: &[target::Model],
    now: Timestamp,
) -> Result<()> {
    let rows = targets.iter().map(|target| {
        let row = waiting(&event.id, &target.id, Purpose::Event, target.epoch, now);
        delivery::Model { replay: true, ..row }.into_active_model()
    });
    let again = OnConflict::columns([delivery::Column::EventId, delivery::Column::TargetId])
        .update_columns([
            delivery::Column::Purpose,
            delivery::Column::State,
            delivery::Column::Replay,
            delivery::Column::QueuedAt,
            delivery::Column::DueAt,
            delivery::Column::Attempts,
            delivery::Column::IsRetry,
            delivery::Column::Epoch,
        ])
        .value(delivery::Column::Claim, Expr::col((delivery::Entity, delivery::Column::Claim)).add(1))
        .to_owned();
    delivery::Entity::insert_many(rows).on_conflict(again).exec_without_returning(tx).await?;
    Ok(())
}

/// A target for which deliveries wait.
#[derive(Debug, FromQueryResult)]
pub struct Lane {
    /// The target; it may have been removed since.
    pub target_id: TargetId,
    /// Its status; null when it is gone.
    pub status: Option<TargetStatus>,
    /// When the first of its deliveries is due.
    pub due_at: Timestamp,
}

/// All targets for which deliveries wait. It leaps from target to target in the index
/// of what is due, so it costs as much as there are such targets.
pub async fn lanes(db: &impl ConnectionTrait) -> Result<Vec<Lane>> {
    const LEAPS: &str = "
        WITH RECURSIVE lane(target_id) AS (
            SELECT * FROM (SELECT min(target_id) FROM delivery WHERE due_at IS NOT NULL) AS first
            UNION ALL
            SELECT (SELECT min(d.target_id) FROM delivery AS d
                    WHERE d.due_at IS NOT NULL AND d.target_id > lane.target_id)
            FROM lane WHERE lane.target_id IS NOT NULL
        )
        SELECT lane.target_id, target.status,
               (SELECT min(first.due_at) FROM (
                    SELECT min(d.due_at) AS due_at FROM delivery AS d
                    WHERE d.due_at IS NOT NULL AND d.target_id = lane.target_id AND NOT d.is_retry
                    UNION ALL
                    SELECT min(d.due_at) FROM delivery AS d
                    WHERE d.due_at IS NOT NULL AND d.target_id = lane.target_id AND d.is_retry
                ) AS first) AS due_at
        FROM lane LEFT JOIN target ON target.id = lane.target_id
        WHERE lane.target_id IS NOT NULL";
    let statement = Statement::from_string(db.get_database_backend(), LEAPS);
    Ok(Lane::find_by_statement(statement).all(db).await?)
}

/// How many deliveries of one target may be claimed.
#[derive(Debug, Clone)]
pub struct Room {
    /// The target.
    pub target: TargetId,
    /// How many.
    pub size: u64,
}

impl Room {
    /// How many of them may be retries: a target that was away for long must not hear of all that
    /// it missed before it hears anything new. One at least, or they would never be made.
    pub fn retries(&self) -> u64 {
        Ord::max(self.size / 4, 1)
    }

    fn first_attempts(&self) -> u64 {
        Ord::max(self.size - self.retries(), 1)
    }
}

/// Claims what is due, for each target as many as there is room for, until the lease ends.
pub async fn claim(
    tx: &impl ConnectionTrait,
    rooms: &[Room],
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<delivery::Model>> {
    use delivery::{Column, Entity};
    let Some(due) = rooms
        .iter()
        .flat_map(|room| due(room, now))
        .reduce(|mut all, one| all.union(UnionType::All, one).take())
    else {
        return Ok(Vec::new());
    };
    let due = CommonTableExpression::new().table_name("due").columns(KEY).query(due).to_owned();
    let claim = Query::update()
        .table(Entity)
        .value(Column::State, DeliveryState::Claimed)
        .value(Column::DueAt, lease_until)
        .value(Column::Claim, Expr::col((Entity, Column::Claim)).add(1))
        .from("due")
        .and_where(Expr::col((Entity, Column::EventId)).equals(("due", Column::EventId)))
        .and_where(Expr::col((Entity, Column::TargetId)).equals(("due", Column::TargetId)))
        .returning(Query::returning().columns(Column::iter().map(|column| (Entity, column))))
        .take();
    let statement = claim.with(WithClause::new().cte(due).to_owned());
    let rows = tx.query_all(&statement).await?;
    Ok(rows.iter().map(|row| delivery::Model::from_query_result(row, "")).collect::<Result<_, _>>()?)
}

const KEY: [delivery::Column; 2] = [delivery::Column::EventId, delivery::Column::TargetId];

fn due(room: &Room, now: Timestamp) -> [SelectStatement; 2] {
    [(false, room.first_attempts()), (true, room.retries())].map(|(is_retry, limit)| {
        let oldest = delivery::Entity::find()
            .select_only()
            .columns(KEY)
            .filter(delivery::Column::TargetId.eq(&room.target))
            .filter(delivery::Column::IsRetry.eq(is_retry))
            .filter(delivery::Column::DueAt.lte(now))
            .order_by_asc(delivery::Column::DueAt)
            .limit(limit)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_query();
        // A limit inside a union has to stand in a query of its own.
        Query::select().columns(KEY).from_subquery(oldest, "oldest").take()
    })
}

/// Ends up to `limit` deliveries that waited for the target since before its deactivation,
/// each with a SKIPPED attempt (D4). What is in flight is left alone.
pub async fn skip_missed(
    tx: &impl ConnectionTrait,
    target: &target::Model,
    limit: u64,
    now: Timestamp,
) -> Result<u64> {
    let missed: Vec<EventId> = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::EventId)
        .filter(delivery::Column::TargetId.eq(&target.id))
        .filter(delivery::Column::DueAt.is_not_null())
        // A claim that is due is one of a dead worker.
        .filter(delivery::Column::State.eq(DeliveryState::Waiting).or(delivery::Column::DueAt.lte(now)))
        .filter(delivery::Column::Epoch.lt(target.epoch))
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(tx)
        .await?;
    let skipped = missed.iter().map(|event| attempts::skipped(event, &target.id, &target.uri, now));
    attempts::insert_all(tx, &skipped.collect::<Vec<_>>()).await?;
    let ended = delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(DeliveryState::Skipped))
        .col_expr(delivery::Column::DueAt, Expr::value(None::<Timestamp>))
        .col_expr(delivery::Column::Succeeded, Expr::value(false))
        .col_expr(delivery::Column::Claim, Expr::col(delivery::Column::Claim).add(1))
        .filter(delivery::Column::TargetId.eq(&target.id))
        .filter(delivery::Column::EventId.is_in(missed));
    Ok(ended.exec(tx).await?.rows_affected)
}

/// Ends the waiting activations of a target: a new one takes their place (T5).
pub async fn cancel_activations(tx: &impl ConnectionTrait, target: &TargetId) -> Result<()> {
    delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(DeliveryState::Failed))
        .col_expr(delivery::Column::DueAt, Expr::value(None::<Timestamp>))
        .col_expr(delivery::Column::Claim, Expr::col(delivery::Column::Claim).add(1))
        .filter(delivery::Column::TargetId.eq(target))
        .filter(delivery::Column::DueAt.is_not_null())
        .filter(delivery::Column::Purpose.eq(Purpose::Activation))
        .exec(tx)
        .await?;
    Ok(())
}

/// Ends up to `limit` deliveries to a target that was removed (T10).
pub async fn remove_orphans(tx: &impl ConnectionTrait, target: &TargetId, limit: u64) -> Result<u64> {
    let orphans: Vec<EventId> = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::EventId)
        .filter(delivery::Column::TargetId.eq(target))
        .filter(delivery::Column::DueAt.is_not_null())
        .limit(limit)
        .into_tuple()
        .all(tx)
        .await?;
    let ended = delivery::Entity::delete_many()
        .filter(delivery::Column::TargetId.eq(target))
        .filter(delivery::Column::EventId.is_in(orphans));
    Ok(ended.exec(tx).await?.rows_affected)
}

/// Makes claimed deliveries due again at once, unless somebody else has claimed them since.
pub async fn give_back(tx: &impl ConnectionTrait, claimed: &[delivery::Model], now: Timestamp) -> Result<()> {
    if claimed.is_empty() {
        return Ok(());
    }
    delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(DeliveryState::Waiting))
        .col_expr(delivery::Column::DueAt, Expr::value(now))
        .filter(still_held(claimed.iter().map(claim_of)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes claimed deliveries whose event or target is gone.
pub async fn remove(tx: &impl ConnectionTrait, claimed: &[delivery::Model]) -> Result<()> {
    if !claimed.is_empty() {
        delivery::Entity::delete_many().filter(still_held(claimed.iter().map(claim_of))).exec(tx).await?;
    }
    Ok(())
}

/// Moves the ends of leases, unless somebody else has claimed the deliveries since. What is being
/// settled at this moment is left out, so that nobody waits for anybody.
pub async fn renew(tx: &impl ConnectionTrait, claims: &[Claim], lease_until: Timestamp) -> Result<()> {
    for piece in claims.chunks(bulk::ROWS) {
        let held = delivery::Entity::find()
            .select_only()
            .columns(KEY)
            .filter(delivery::Column::State.eq(DeliveryState::Claimed))
            .filter(still_held(piece.iter().cloned()))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_query();
        delivery::Entity::update_many()
            .col_expr(delivery::Column::DueAt, Expr::value(lease_until))
            .filter(Expr::tuple(KEY.map(Expr::col)).in_subquery(held))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Which of these claims are still the latest. They stay so until the transaction ends.
pub async fn hold(tx: &impl ConnectionTrait, claims: Vec<Claim>) -> Result<HashSet<Claim>> {
    if claims.is_empty() {
        return Ok(HashSet::new());
    }
    let held = delivery::Entity::find()
        .select_only()
        .columns(KEY)
        .column(delivery::Column::Claim)
        .filter(still_held(claims))
        .lock_exclusive();
    Ok(held.into_tuple().all(tx).await?.into_iter().collect())
}

/// A claim on a delivery: event, target, and the number of the claim.
pub type Claim = (EventId, TargetId, i64);

/// The claim under which the row was read.
pub fn claim_of(row: &delivery::Model) -> Claim {
    (row.event_id.clone(), row.target_id.clone(), row.claim)
}

fn still_held(claims: impl IntoIterator<Item = Claim>) -> Expr {
    let claims = claims
        .into_iter()
        .map(|(event, target, claim)| (Value::from(event), Value::from(target), Value::from(claim)));
    let held = Query::select().column(Asterisk).from_values(claims, "held").take();
    let columns = [delivery::Column::EventId, delivery::Column::TargetId, delivery::Column::Claim];
    Expr::tuple(columns.map(Expr::col)).in_subquery(held)
}
