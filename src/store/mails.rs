//! The mails that wait for a mail server.

use entity::{MailId, TargetId, Timestamp, mail};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use crate::error::Result;
use crate::rules::mail::Mail;

/// Queues a mail about a target, due at once.
pub(crate) async fn add(
    tx: &impl ConnectionTrait,
    recipient: &str,
    Mail { subject, body }: Mail,
    about: &TargetId,
    now: Timestamp,
) -> Result<()> {
    let row = mail::Model {
        id: MailId::new(now),
        recipient: recipient.to_owned(),
        subject,
        body,
        due_at: now,
        attempts: 0,
        created_at: now,
        target_id: Some(about.clone()),
    };
    mail::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(())
}

/// Claims up to `limit` mails that are due: nobody else gets them before `lease_until`.
pub(crate) async fn claim(
    tx: &impl ConnectionTrait,
    limit: u64,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Vec<mail::Model>> {
    let due: Vec<MailId> = mail::Entity::find()
        .select_only()
        .column(mail::Column::Id)
        .filter(mail::Column::DueAt.lte(now))
        .order_by_asc(mail::Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(tx)
        .await?;
    let claimed = mail::Entity::update_many()
        .col_expr(mail::Column::DueAt, Expr::value(lease_until))
        .col_expr(mail::Column::Attempts, Expr::col(mail::Column::Attempts).add(1))
        .filter(mail::Column::Id.is_in(due));
    Ok(claimed.exec_with_returning(tx).await?)
}

/// Tries it again at `due_at`.
pub(crate) async fn postpone(tx: &impl ConnectionTrait, id: &MailId, due_at: Timestamp) -> Result<()> {
    mail::Entity::update_many()
        .col_expr(mail::Column::DueAt, Expr::value(due_at))
        .filter(mail::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Forgets a mail that was sent or given up.
pub(crate) async fn remove(tx: &impl ConnectionTrait, id: &MailId) -> Result<()> {
    mail::Entity::delete_by_id(id.clone()).exec(tx).await?;
    Ok(())
}
