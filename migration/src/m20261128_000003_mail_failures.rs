//! Which target a mail is about, and when the last mail about a target was given up.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mail = Table::alter().table("mail").add_column(text_null("target_id")).to_owned();
        manager.alter_table(mail).await?;
        let target =
            Table::alter().table("target").add_column(big_integer_null("email_failed_at")).to_owned();
        manager.alter_table(target).await
    }
}
