//! Which encryption key belongs to the database, so that a server with another one does not start.
//!
//! It is recorded by the first server that starts. A database from before has none until then.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("encryption_key")
            .col(integer("id").primary_key().to_owned())
            .col(text("key_id"))
            .to_owned();
        manager.create_table(table).await
    }
}
