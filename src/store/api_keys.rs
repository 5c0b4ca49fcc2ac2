//! The credentials. The key itself never gets here: only its hash and its
//! redacted form do.

use entity::{ApiKeyId, ApiKeyKind, Timestamp, api_key};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    Set,
};

use crate::error::Result;
use crate::store::Scope;
use crate::store::bulk::filled_up;

/// A key about to be added.
#[derive(Debug)]
pub struct NewKey<'a> {
    /// What it is for.
    pub kind: ApiKeyKind,
    /// What its owner calls it.
    pub name: &'a str,
    /// SHA-256 of the key, as hex digits.
    pub hash: String,
    /// The key with all but its ends left out.
    pub redacted: String,
}

/// Adds a key to the scope that it will decide.
pub async fn add(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    key: NewKey<'_>,
    now: Timestamp,
) -> Result<api_key::Model> {
    let row = api_key::Model {
        id: ApiKeyId::new(now),
        organization_id: scope.organization.clone(),
        environment: scope.environment,
        kind: key.kind,
        name: key.name.to_owned(),
        hash: key.hash,
        redacted_key: key.redacted,
        revoked_at: None,
        created_at: now,
    };
    Ok(row.into_active_model().insert(tx).await?)
}

/// The keys of these hashes that were not revoked.
pub async fn find_valid(db: &impl ConnectionTrait, hashes: &[&str]) -> Result<Vec<api_key::Model>> {
    let valid = api_key::Entity::find()
        .filter(api_key::Column::Hash.is_in(filled_up(hashes.iter().copied())))
        .filter(api_key::Column::RevokedAt.is_null());
    Ok(valid.all(db).await?)
}

/// The scope's key of this id, revoked or not.
pub async fn find_in(
    db: &impl ConnectionTrait,
    scope: &Scope,
    id: &ApiKeyId,
) -> Result<Option<api_key::Model>> {
    Ok(scope.api_keys().filter(api_key::Column::Id.eq(id)).one(db).await?)
}

/// The scope's keys of these ids, revoked or not.
pub async fn find_all(
    db: &impl ConnectionTrait,
    scope: &Scope,
    ids: &[ApiKeyId],
) -> Result<Vec<api_key::Model>> {
    Ok(scope.api_keys().filter(api_key::Column::Id.is_in(ids.iter().cloned())).all(db).await?)
}

/// The key of this id, whatever its scope: for the operator of the server.
pub async fn find(db: &impl ConnectionTrait, id: &ApiKeyId) -> Result<Option<api_key::Model>> {
    Ok(api_key::Entity::find_by_id(id.clone()).one(db).await?)
}

/// All keys of all scopes, oldest first: for the operator of the server.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<api_key::Model>> {
    Ok(api_key::Entity::find().order_by_asc(api_key::Column::Id).all(db).await?)
}

/// Ends a key at once (G13). One that was revoked before keeps its time.
pub async fn revoke(
    tx: &impl ConnectionTrait,
    key: api_key::Model,
    now: Timestamp,
) -> Result<api_key::Model> {
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    let mut row = key.into_active_model();
    row.revoked_at = Set(Some(now));
    Ok(row.update(tx).await?)
}
