//! The work to be done: scheduling and skipping deliveries. [`claims`](crate::store::claims) gives them out.

use entity::{DeliveryState, EventId, Purpose, TargetId, TargetStatus, Timestamp, delivery, event, target};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, OnConflict};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QuerySelect,
    Statement, Value,
};

use crate::error::Result;
use crate::store::attempts;
use crate::store::bulk::{Column, Script};

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
pub fn insert_all(script: &mut Script, rows: &[delivery::Model]) {
    script.insert::<delivery::Entity>(rows, "");
}

/// Schedules the event for these targets once more, with the full number of attempts (R3).
///
/// What is claimed stays so until the claim ends, and is due then: two attempts of one delivery never run
/// side by side. The claim decides nothing more. The targets have to be in the order of their ids, in which
/// settling goes too, so that two transactions cannot wait for each other.
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
            delivery::Column::Replay,
            delivery::Column::QueuedAt,
            delivery::Column::Attempts,
            delivery::Column::IsRetry,
            delivery::Column::Epoch,
        ])
        .value(delivery::Column::State, if_claimed(now, DeliveryState::Replayed, DeliveryState::Waiting))
        .value(delivery::Column::DueAt, if_claimed(now, old(delivery::Column::DueAt), now))
        .value(
            delivery::Column::Claim,
            if_claimed(now, old(delivery::Column::Claim), old(delivery::Column::Claim).add(1)),
        )
        .to_owned();
    delivery::Entity::insert_many(rows).on_conflict(again).exec_without_returning(tx).await?;
    Ok(())
}

/// One of two values, by whether the delivery that is there is claimed and its lease runs.
fn if_claimed(now: Timestamp, then: impl Into<Expr>, otherwise: impl Into<Expr>) -> Expr {
    let is_claimed = old(delivery::Column::State).is_in(CLAIMED).and(old(delivery::Column::DueAt).gt(now));
    Expr::case(is_claimed, then).finally(otherwise).into()
}

/// A column of the delivery that is there.
fn old(column: delivery::Column) -> Expr {
    Expr::col((delivery::Entity, column))
}

/// The states of a delivery that somebody works on.
pub const CLAIMED: [DeliveryState; 2] = [DeliveryState::Claimed, DeliveryState::Replayed];

/// A target for which deliveries wait.
#[derive(Debug, FromQueryResult)]
pub struct Backlog {
    /// The target; it may have been removed since.
    pub target_id: TargetId,
    /// Its status; null when it is gone.
    pub status: Option<TargetStatus>,
    /// When the first of its deliveries is due.
    pub due_at: Timestamp,
}

/// All targets for which deliveries wait. It leaps from target to target in the index
/// of what is due, so it costs as much as there are such targets.
pub async fn backlogs(db: &impl ConnectionTrait) -> Result<Vec<Backlog>> {
    const LEAPS: &str = "
        WITH RECURSIVE backlog(target_id) AS (
            SELECT * FROM (SELECT min(target_id) FROM delivery WHERE due_at IS NOT NULL) AS first
            UNION ALL
            SELECT (SELECT min(d.target_id) FROM delivery AS d
                    WHERE d.due_at IS NOT NULL AND d.target_id > backlog.target_id)
            FROM backlog WHERE backlog.target_id IS NOT NULL
        )
        SELECT backlog.target_id, target.status,
               (SELECT min(first.due_at) FROM (
                    SELECT min(d.due_at) AS due_at FROM delivery AS d
                    WHERE d.due_at IS NOT NULL AND d.target_id = backlog.target_id AND d.is_retry = FALSE
                    UNION ALL
                    SELECT min(d.due_at) FROM delivery AS d
                    WHERE d.due_at IS NOT NULL AND d.target_id = backlog.target_id AND d.is_retry = TRUE
                ) AS first) AS due_at
        FROM backlog LEFT JOIN target ON target.id = backlog.target_id
        WHERE backlog.target_id IS NOT NULL";
    let statement = Statement::from_string(db.get_database_backend(), LEAPS);
    Ok(Backlog::find_by_statement(statement).all(db).await?)
}

/// Of these targets those for which something became due between the time beside each and `now`. It reads
/// nothing else in the index of what is due, where what was settled may still stand.
pub async fn due_backlogs(
    db: &impl ConnectionTrait,
    known: &[(TargetId, Timestamp)],
    now: Timestamp,
) -> Result<Vec<Backlog>> {
    const KNOWN: [Column; 3] = [Column::full("target_id"), Column::full("since"), Column::full("until")];
    let rows = known.iter().map(|(target, since)| [target.into(), (*since).into(), now.into()]);
    // The database is asked even if nobody is known: that it answers is a sign of life.
    let nobody: [Value; 3] = [String::new().into(), now.into(), now.into()];
    let mut script = Script::new(db);
    script.add(&KNOWN, rows.chain(known.is_empty().then_some(nobody)), due_among);
    let mut backlogs = Vec::new();
    for statement in script.statements()? {
        backlogs.extend(Backlog::find_by_statement(statement).all(db).await?);
    }
    Ok(backlogs)
}

fn due_among(rows: &str) -> String {
    let oldest = |is_retry: &str| {
        format!(
            "SELECT min(d.due_at) AS due_at FROM delivery AS d \
             WHERE d.due_at IS NOT NULL AND d.target_id = known.target_id AND d.is_retry = {is_retry} \
                    AND d.due_at >= known.since AND d.due_at <= known.until"
        )
    };
    let (first_attempt, retry) = (oldest("FALSE"), oldest("TRUE"));
    format!(
        "WITH backlog AS MATERIALIZED ( \
            SELECT known.target_id, \
                   (SELECT min(first.due_at) FROM ({first_attempt} UNION ALL {retry}) AS first) AS due_at \
            FROM ({rows}) AS known \
         ) \
         SELECT backlog.target_id, target.status, backlog.due_at \
         FROM backlog LEFT JOIN target ON target.id = backlog.target_id \
         WHERE backlog.due_at IS NOT NULL"
    )
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
    let mut script = Script::new(tx);
    attempts::insert_all(&mut script, &skipped.collect::<Vec<_>>());
    script.run(tx).await?;
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

/// Ends up to `limit` deliveries to a target that was removed (T10). What is being settled is left to the
/// next look.
pub async fn remove_orphans(tx: &impl ConnectionTrait, target: &TargetId, limit: u64) -> Result<u64> {
    let orphans: Vec<EventId> = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::EventId)
        .filter(delivery::Column::TargetId.eq(target))
        .filter(delivery::Column::DueAt.is_not_null())
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(tx)
        .await?;
    let ended = delivery::Entity::delete_many()
        .filter(delivery::Column::TargetId.eq(target))
        .filter(delivery::Column::EventId.is_in(orphans));
    Ok(ended.exec(tx).await?.rows_affected)
}
