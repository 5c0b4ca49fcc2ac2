//! Which encryption key belongs to the database.

use anyhow::Context;
use entity::encryption_key;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use crate::error::Result;
use crate::vault::KeyId;

/// The id of the only row.
const ID: i32 = 1;

/// The id of the key; none if no server has started on the database yet.
pub(crate) async fn find(db: &impl ConnectionTrait) -> Result<Option<KeyId>> {
    let Some(row) = encryption_key::Entity::find_by_id(ID).one(db).await? else { return Ok(None) };
    let mut id = KeyId::default();
    hex::decode_to_slice(&row.key_id, &mut id).context("the record of the encryption key is damaged")?;
    Ok(Some(id))
}

/// From now on it is this key.
pub(crate) async fn record(tx: &impl ConnectionTrait, key: KeyId) -> Result<()> {
    let row = encryption_key::Model { id: ID, key_id: hex::encode(key) };
    let instead = OnConflict::column(encryption_key::Column::Id)
        .update_column(encryption_key::Column::KeyId)
        .to_owned();
    let insert = encryption_key::Entity::insert(row.into_active_model()).on_conflict(instead);
    insert.exec_without_returning(tx).await?;
    Ok(())
}
