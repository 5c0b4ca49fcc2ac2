//! Who works on what: claiming deliveries, and what a claim is good for.
//!
//! Who claims a delivery moves its `due_at` to the end of a lease and counts its
//! `claim` up; nothing stays locked. When a worker dies, the lease runs out and
//! the row is due again. What a claim costs does not depend on how much waits
//! elsewhere: each target's rows stand together in an index of what is due.

use std::collections::HashSet;

use entity::{DeliveryState, EventId, TargetId, Timestamp, delivery};
use sea_orm::sea_query::{
    Asterisk, CommonTableExpression, Expr, ExprTrait, LockBehavior, LockType, Query, SelectStatement,
    UnionType, WithClause,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, Iterable, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, Value,
};

use crate::error::Result;
use crate::store::bulk::filled_up;
use crate::store::deliveries::CLAIMED;

/// How many deliveries of one target may be claimed.
#[derive(Debug, Clone)]
pub struct Demand {
    /// The target.
    pub target: TargetId,
    /// How many.
    pub size: u64,
    /// What became due earlier is not looked for.
    pub since: Timestamp,
}

impl Demand {
    /// How many of them may be retries: a target that was away for long must not hear of all that
    /// it missed before it hears anything new. One at least, or they would never be made.
    pub fn retries(&self) -> u64 {
        Ord::max(self.size / 4, 1)
    }

    fn first_attempts(&self) -> u64 {
        Ord::max(self.size - self.retries(), 1)
    }
}

/// Claims what is due, for each target as many as there is demand for, until the lease ends.
pub async fn claim(
    tx: &impl ConnectionTrait,
    demands: &[Demand],
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<delivery::Model>> {
    use delivery::{Column, Entity};
    let Some(due) = due_in(demands, now).reduce(|mut all, one| all.union(UnionType::All, one).take()) else {
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

/// What is due in these demands, each with two selects. To read and plan dozens of them takes longer than
/// to run them, and a database does that once for each text: so demands of nobody make their number a
/// power of two.
fn due_in(demands: &[Demand], now: Timestamp) -> impl Iterator<Item = SelectStatement> {
    let nobodys = if demands.is_empty() { 0 } else { demands.len().next_power_of_two() - demands.len() };
    let nobodys_demand = (None, 1, 1, Timestamp::default());
    let demands = demands
        .iter()
        .map(|demand| (Some(&demand.target), demand.first_attempts(), demand.retries(), demand.since));
    demands.chain(std::iter::repeat_n(nobodys_demand, nobodys)).flat_map(
        move |(target, first, retries, since)| {
            [due(target, false, first, (since, now)), due(target, true, retries, (since, now))]
        },
    )
}

/// The oldest deliveries that became due between these times.
fn due(
    target: Option<&TargetId>,
    is_retry: bool,
    limit: u64,
    (since, now): (Timestamp, Timestamp),
) -> SelectStatement {
    let oldest = delivery::Entity::find()
        .select_only()
        .columns(KEY)
        .filter(delivery::Column::TargetId.eq(target.cloned()))
        .filter(delivery::Column::IsRetry.eq(is_retry))
        .filter(delivery::Column::DueAt.gte(since))
        .filter(delivery::Column::DueAt.lte(now))
        .order_by_asc(delivery::Column::DueAt)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    // A limit inside a union has to stand in a query of its own.
    Query::select().columns(KEY).from_subquery(oldest, "oldest").take()
}

/// Makes claimed deliveries due again then, unless somebody else has claimed them since.
pub async fn give_back(
    tx: &impl ConnectionTrait,
    claimed: &[delivery::Model],
    due_at: Timestamp,
) -> Result<()> {
    let held = hold(tx, claimed.iter().map(claim_of).collect()).await?;
    if held.is_empty() {
        return Ok(());
    }
    delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(DeliveryState::Waiting))
        .col_expr(delivery::Column::DueAt, Expr::value(due_at))
        .filter(still_held(held))
        .exec(tx)
        .await?;
    Ok(())
}

/// Removes claimed deliveries whose event or target is gone.
pub async fn remove(tx: &impl ConnectionTrait, claimed: &[delivery::Model]) -> Result<()> {
    let held = hold(tx, claimed.iter().map(claim_of).collect()).await?;
    if !held.is_empty() {
        delivery::Entity::delete_many().filter(still_held(held)).exec(tx).await?;
    }
    Ok(())
}

/// Moves the ends of leases, and answers of which: not where somebody else has claimed the delivery
/// since, nor of what is being settled at this moment, so that nobody waits for anybody.
pub async fn renew(
    tx: &impl ConnectionTrait,
    claims: &[Claim],
    lease_until: Timestamp,
) -> Result<Vec<Claim>> {
    let held = claims_among(claims.iter().cloned())
        .filter(delivery::Column::State.is_in(CLAIMED))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    let held: Vec<Claim> = held.into_tuple().all(tx).await?;
    if !held.is_empty() {
        delivery::Entity::update_many()
            .col_expr(delivery::Column::DueAt, Expr::value(lease_until))
            .filter(still_held(held.iter().cloned()))
            .exec(tx)
            .await?;
    }
    Ok(held)
}

/// Which of these claims are still the latest. They stay so until the transaction ends. Always locked in
/// the same order, so that two transactions cannot wait for each other.
pub async fn hold(tx: &impl ConnectionTrait, claims: Vec<Claim>) -> Result<HashSet<Claim>> {
    hold_among(tx, claims, Condition::all()).await
}

/// The same, but for those whose delivery was replayed since, so that they decide nothing any more.
pub async fn hold_to_decide(tx: &impl ConnectionTrait, claims: Vec<Claim>) -> Result<HashSet<Claim>> {
    let decides = delivery::Column::State.ne(DeliveryState::Replayed);
    hold_among(tx, claims, Condition::all().add(decides)).await
}

async fn hold_among(
    tx: &impl ConnectionTrait,
    claims: Vec<Claim>,
    condition: Condition,
) -> Result<HashSet<Claim>> {
    if claims.is_empty() {
        return Ok(HashSet::new());
    }
    let held = claims_among(claims)
        .filter(condition)
        .order_by_asc(delivery::Column::EventId)
        .order_by_asc(delivery::Column::TargetId)
        .lock_exclusive();
    Ok(held.into_tuple().all(tx).await?.into_iter().collect())
}

/// Those of these claims that are still the latest.
fn claims_among(claims: impl IntoIterator<Item = Claim>) -> Select<delivery::Entity> {
    let columns = [delivery::Column::EventId, delivery::Column::TargetId, delivery::Column::Claim];
    delivery::Entity::find().select_only().columns(columns).filter(still_held(claims))
}

/// A claim on a delivery: event, target, and the number of the claim.
pub type Claim = (EventId, TargetId, i64);

/// The claim under which the row was read.
pub fn claim_of(row: &delivery::Model) -> Claim {
    (row.event_id.clone(), row.target_id.clone(), row.claim)
}

fn still_held(claims: impl IntoIterator<Item = Claim>) -> Expr {
    let claims = filled_up(claims)
        .into_iter()
        .map(|(event, target, claim)| (Value::from(event), Value::from(target), Value::from(claim)));
    let held = Query::select().column(Asterisk).from_values(claims, "held").take();
    let columns = [delivery::Column::EventId, delivery::Column::TargetId, delivery::Column::Claim];
    Expr::tuple(columns.map(Expr::col)).in_subquery(held)
}
