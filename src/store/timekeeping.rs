//! The time of the database: how far it is from a clock, and how far removal has come.

use anyhow::Context;
use entity::{AttemptId, EventId, Timestamp, attempt, event, timekeeping};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};

use crate::clock::Detour;
use crate::error::Result;

/// How the time is away from the clock that it follows.
pub async fn detour(db: &impl ConnectionTrait) -> Result<Detour> {
    let row = find(db).await?;
    Ok(Detour { since: row.since, ahead: row.ahead })
}

/// What time a shared database says it is, and how the time is away from that.
pub async fn shared_time(db: &impl ConnectionTrait) -> Result<(Timestamp, Detour)> {
    const TIME: &str = "
        SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS now, since, ahead
        FROM timekeeping";
    let statement = Statement::from_string(db.get_database_backend(), TIME);
    let row = db.query_one_raw(statement).await?.context("the row of the time is missing")?;
    let detour = Detour { since: row.try_get("", "since")?, ahead: row.try_get("", "ahead")? };
    Ok((row.try_get("", "now")?, detour))
}

/// Takes another detour, unless somebody has taken one meanwhile. Answers whether it was taken.
pub async fn set_detour(tx: &impl ConnectionTrait, old: Detour, new: Detour) -> Result<bool> {
    let changed = timekeeping::Entity::update_many()
        .col_expr(timekeeping::Column::Since, Expr::value(new.since))
        .col_expr(timekeeping::Column::Ahead, Expr::value(new.ahead))
        .filter(timekeeping::Column::Id.eq(timekeeping::ID))
        .filter(timekeeping::Column::Since.eq(old.since))
        .filter(timekeeping::Column::Ahead.eq(old.ahead));
    Ok(changed.exec(tx).await?.rows_affected > 0)
}

/// The newest time that the database knows of: that of its newest event or attempt.
pub async fn newest(db: &impl ConnectionTrait) -> Result<Option<Timestamp>> {
    let event: Option<EventId> = event::Entity::find()
        .select_only()
        .column(event::Column::Id)
        .order_by_desc(event::Column::Id)
        .into_tuple()
        .one(db)
        .await?;
    let attempt: Option<AttemptId> = attempt::Entity::find()
        .select_only()
        .column(attempt::Column::Id)
        .order_by_desc(attempt::Column::Id)
        .into_tuple()
        .one(db)
        .await?;
    Ok(Ord::max(event.map(|id| id.made_at()), attempt.map(|id| id.made_at())))
}

/// How far the time has come that removal goes by; none if nothing was ever removed.
pub async fn removed_until(db: &impl ConnectionTrait) -> Result<Option<Timestamp>> {
    Ok(find(db).await?.removed_until)
}

/// Notes how far that time has come, unless it is further already.
pub async fn reach(tx: &impl ConnectionTrait, until: Timestamp) -> Result<()> {
    let column = timekeeping::Column::RemovedUntil;
    timekeeping::Entity::update_many()
        .col_expr(column, Expr::value(until))
        .filter(timekeeping::Column::Id.eq(timekeeping::ID))
        .filter(column.is_null().or(column.lt(until)))
        .exec(tx)
        .await?;
    Ok(())
}

async fn find(db: &impl ConnectionTrait) -> Result<timekeeping::Model> {
    let row = timekeeping::Entity::find_by_id(timekeeping::ID).one(db).await?;
    Ok(row.context("the row of the time is missing")?)
}
