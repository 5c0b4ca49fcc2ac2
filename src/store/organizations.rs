//! The tenants of the server.

use entity::{OrganizationId, Timestamp, organization};
use sea_orm::sea_query::{LockType, Query};
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryOrder, QuerySelect};

use crate::error::Result;

/// Adds an organization.
pub async fn add(
    tx: &impl ConnectionTrait,
    display_name: &str,
    now: Timestamp,
) -> Result<organization::Model> {
    let row = organization::Model {
        id: OrganizationId::new(now),
        display_name: display_name.to_owned(),
        created_at: now,
    };
    Ok(row.into_active_model().insert(tx).await?)
}

/// The organization, if there is one of this id.
pub async fn find(db: &impl ConnectionTrait, id: &OrganizationId) -> Result<Option<organization::Model>> {
    Ok(organization::Entity::find_by_id(id.clone()).one(db).await?)
}

/// All organizations, oldest first.
pub async fn list(db: &impl ConnectionTrait) -> Result<Vec<organization::Model>> {
    Ok(organization::Entity::find().order_by_asc(organization::Column::Id).all(db).await?)
}

/// Makes everyone else who wants to add the first organization wait. There may be no row to lock
/// yet but those that record the migrations.
pub async fn lock_all(tx: &impl ConnectionTrait) -> Result<()> {
    let record = Query::select().column("version").from("seaql_migrations").lock(LockType::Update).take();
    tx.query_all(&record).await?;
    Ok(())
}

/// Makes everyone else who wants to change something countable of the organization wait,
/// so that two of them cannot both see room for one more (T7).
///
/// Whoever adds a row that refers to the organization, an audit entry for example, does not wait:
/// such a row keeps the organization's id, and no more than that. With a lock that keeps all of it,
/// those who hold a target and write an audit entry would wait for those who hold the organization
/// and want the target.
pub async fn lock(tx: &impl ConnectionTrait, id: &OrganizationId) -> Result<()> {
    organization::Entity::find_by_id(id.clone()).lock(LockType::NoKeyUpdate).one(tx).await?;
    Ok(())
}
