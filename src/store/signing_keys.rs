//! The signing keys of the targets. Secrets come sealed and leave sealed.

use std::collections::HashMap;

use entity::{SigningKeyId, TargetId, Timestamp, signing_key};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LockBehavior, LockType, SimpleExpr};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};

use crate::error::Result;
use crate::store::Scope;
use crate::store::bulk::filled_up;
use crate::vault::{KEY_ID_BYTES, KeyId, Vault};

/// Adds a key to the target; it is the current one.
pub async fn add(
    tx: &impl ConnectionTrait,
    target: &TargetId,
    secret: &str,
    vault: &Vault,
    now: Timestamp,
) -> Result<signing_key::Model> {
    let id = SigningKeyId::new(now);
    let sealed_secret = vault.seal(id.as_str(), secret)?;
    let row = signing_key::Model {
        id,
        target_id: target.clone(),
        sealed_secret,
        created_at: now,
        expires_at: None,
    };
    Ok(row.into_active_model().insert(tx).await?)
}

/// Lets the current key end at `expires_at`; keys that end already keep their time (K1).
pub async fn expire_current(
    tx: &impl ConnectionTrait,
    target: &TargetId,
    expires_at: Timestamp,
) -> Result<()> {
    signing_key::Entity::update_many()
        .col_expr(signing_key::Column::ExpiresAt, Expr::value(expires_at))
        .filter(signing_key::Column::TargetId.eq(target))
        .filter(signing_key::Column::ExpiresAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// How many keys of the target have not ended (K2).
pub async fn count_unexpired(tx: &impl ConnectionTrait, target: &TargetId, now: Timestamp) -> Result<u64> {
    let mine = signing_key::Entity::find().filter(signing_key::Column::TargetId.eq(target));
    Ok(mine.filter(unexpired(now)).count(tx).await?)
}

/// The key of this id, unless it has ended.
pub async fn find(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: &SigningKeyId,
    now: Timestamp,
) -> Result<Option<signing_key::Model>> {
    Ok(scope.signing_keys().filter(signing_key::Column::Id.eq(id)).filter(unexpired(now)).one(db).await?)
}

/// The keys of the scope's targets of these ids that have not ended, newest first (K3).
pub async fn list(
    db: &impl ConnectionTrait,
    scope: &Scope,
    targets: &[TargetId],
    now: Timestamp,
) -> Result<HashMap<TargetId, Vec<signing_key::Model>>> {
    by_target(db, scope.signing_keys(), targets, now).await
}

/// The keys of targets of any scope that have not ended, newest first (W5): for the delivery engine.
pub async fn of_targets(
    db: &impl ConnectionTrait,
    targets: &[TargetId],
    now: Timestamp,
) -> Result<HashMap<TargetId, Vec<signing_key::Model>>> {
    by_target(db, signing_key::Entity::find(), targets, now).await
}

async fn by_target(
    db: &impl ConnectionTrait,
    keys: Select<signing_key::Entity>,
    targets: &[TargetId],
    now: Timestamp,
) -> Result<HashMap<TargetId, Vec<signing_key::Model>>> {
    let rows = keys
        .filter(signing_key::Column::TargetId.is_in(filled_up(targets.iter().cloned())))
        .filter(unexpired(now))
        .order_by_desc(signing_key::Column::Id)
        .all(db)
        .await?;
    let mut keys: HashMap<_, Vec<_>> = targets.iter().map(|target| (target.clone(), Vec::new())).collect();
    for row in rows {
        keys.entry(row.target_id.clone()).or_default().push(row);
    }
    Ok(keys)
}

/// Which encryption keys sealed any secret of this database.
pub async fn sealers(db: &impl ConnectionTrait) -> Result<Vec<KeyId>> {
    let sealed = signing_key::Entity::find().select_only().column_as(sealed_with(), "sealer").distinct();
    let ids: Vec<Vec<u8>> = sealed.into_tuple().all(db).await?;
    // What is shorter than an id was cut off.
    Ok(ids.into_iter().filter_map(|id| id.try_into().ok()).collect())
}

/// Up to `limit` keys behind the id `after` that another encryption key sealed, by their ids.
pub async fn sealed_otherwise(
    tx: &impl ConnectionTrait,
    key: KeyId,
    after: Option<&SigningKeyId>,
    limit: u64,
) -> Result<Vec<signing_key::Model>> {
    let others = signing_key::Entity::find()
        .filter(sealed_with().ne(key.to_vec()))
        .apply_if(after, |keys, after| keys.filter(signing_key::Column::Id.gt(after)));
    Ok(others.order_by_asc(signing_key::Column::Id).limit(limit).all(tx).await?)
}

/// Replaces a secret by the one that was sealed from it with another key. If that is not
/// there any more, nothing changes.
pub async fn reseal(tx: &impl ConnectionTrait, key: &signing_key::Model, sealed: Vec<u8>) -> Result<()> {
    signing_key::Entity::update_many()
        .col_expr(signing_key::Column::SealedSecret, Expr::value(sealed))
        .filter(signing_key::Column::Id.eq(&key.id))
        .filter(signing_key::Column::SealedSecret.eq(key.sealed_secret.clone()))
        .exec(tx)
        .await?;
    Ok(())
}

/// What stands in front of a sealed secret: the id of the encryption key.
fn sealed_with() -> SimpleExpr {
    let secret = Expr::col((signing_key::Entity, signing_key::Column::SealedSecret));
    let length = i32::try_from(KEY_ID_BYTES).expect("it is four");
    Func::cust("substr").args([secret, Expr::val(1), Expr::val(length)]).into()
}

/// Forgets up to `limit` keys that have ended. Those that somebody changes at this moment, or removes with
/// their target, are left to the next time.
pub async fn remove_expired(tx: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<u64> {
    let ended: Vec<SigningKeyId> = signing_key::Entity::find()
        .select_only()
        .column(signing_key::Column::Id)
        .filter(signing_key::Column::ExpiresAt.lte(now))
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(tx)
        .await?;
    let removed = signing_key::Entity::delete_many().filter(signing_key::Column::Id.is_in(ended));
    Ok(removed.exec(tx).await?.rows_affected)
}

fn unexpired(now: Timestamp) -> Condition {
    Condition::any().add(signing_key::Column::ExpiresAt.is_null()).add(signing_key::Column::ExpiresAt.gt(now))
}
