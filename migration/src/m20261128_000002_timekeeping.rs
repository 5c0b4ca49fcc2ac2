//! Where the time of a database is, when it is not where a clock says.
//!
//! One row, made here, so that nobody has to make it later.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("timekeeping")
            .col(integer("id").primary_key().to_owned())
            .col(big_integer("ahead"))
            .col(big_integer("since"))
            .col(big_integer_null("removed_until"))
            .to_owned();
        manager.create_table(table).await?;
        let row = Query::insert()
            .into_table("timekeeping")
            .columns(["id", "ahead", "since"])
            .values_panic([1.into(), 0_i64.into(), 0_i64.into()])
            .to_owned();
        manager.execute(row).await
    }
}
