//! A count that servers raise to see whether what they commit is there.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    /// It has one row at most, which the first server makes that needs it.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("write_probe")
            .col(integer("id").primary_key())
            .col(big_integer("writes"))
            .to_owned();
        manager.create_table(table).await
    }
}
