//! The first tables.
//!
//! Times are milliseconds since the epoch; ids and vocabularies are text. The hot
//! tables (event, delivery, attempt) have the fewest indexes that their reads
//! need and no foreign keys: the statements that write them know both ends.

use fail::fail_point;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, boolean, boolean_null, integer, integer_null, text, text_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// All or nothing, so that a start that is cut off leaves something the next one completes.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        fail_point!("migrating", |_| Err(DbErr::Migration("a fault was injected".to_owned())));
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

#[expect(clippy::too_many_lines, reason = "a list is read from top to bottom")]
fn tables() -> [TableCreateStatement; 11] {
    [
        Table::create()
            .table("organization")
            .col(id())
            .col(text("display_name"))
            .col(big_integer("created_at"))
            .to_owned(),
        Table::create()
            .table("api_key")
            .col(id())
            .col(text("organization_id"))
            .col(text("environment"))
            .col(text("kind"))
            .col(text("name"))
            .col(text("hash").unique_key())
            .col(text("redacted_key"))
            .col(big_integer_null("revoked_at"))
            .col(big_integer("created_at"))
            .foreign_key(&mut belongs_to("api_key", "organization"))
            .to_owned(),
        Table::create()
            .table("target")
            .col(id())
            .col(text("organization_id"))
            .col(text("environment"))
            .col(text("name"))
            .col(text("uri"))
            .col(text_null("email"))
            .col(text("status"))
            .col(big_integer("created_at"))
            .col(big_integer("updated_at"))
            .col(big_integer_null("deactivated_at"))
            .col(big_integer_null("activated_at"))
            .col(integer("epoch"))
            .col(integer("rotations"))
            .foreign_key(&mut belongs_to("target", "organization"))
            .to_owned(),
        Table::create()
            .table("subscription")
            .col(text("target_id"))
            .col(text("event_name"))
            .primary_key(Index::create().col("target_id").col("event_name"))
            .foreign_key(&mut belongs_to("subscription", "target"))
            .to_owned(),
        Table::create()
            .table("signing_key")
            .col(id())
            .col(text("target_id"))
            .col(blob("sealed_secret"))
            .col(big_integer("created_at"))
            .col(big_integer_null("expires_at"))
            .foreign_key(&mut belongs_to("signing_key", "target"))
            .to_owned(),
        Table::create()
            .table("status_change")
            .col(id())
            .col(text("target_id"))
            .col(text_null("previous_status"))
            .col(text("new_status"))
            .col(big_integer("created_at"))
            .foreign_key(&mut belongs_to("status_change", "target"))
            .to_owned(),
        Table::create()
            .table("audit_entry")
            .col(id())
            .col(text("organization_id"))
            .col(text("environment"))
            .col(text_null("api_key_id"))
            .col(text("action"))
            .col(text("subject_id"))
            .col(big_integer("created_at"))
            .foreign_key(&mut belongs_to("audit_entry", "organization"))
            .to_owned(),
        Table::create()
            .table("event")
            .col(id())
            .col(text("organization_id"))
            .col(text("environment"))
            .col(text_null("name"))
            .col(text("node"))
            .col(text_null("idempotency_key"))
            .col(boolean("is_addressed"))
            .col(big_integer("created_at"))
            .to_owned(),
        Table::create()
            .table("delivery")
            .col(text("event_id"))
            .col(text("target_id"))
            .col(text("purpose"))
            .col(text("state"))
            .col(boolean("replay"))
            .col(big_integer("queued_at"))
            .col(big_integer_null("due_at"))
            .col(integer("attempts"))
            .col(boolean("is_retry"))
            .col(big_integer("claim"))
            .col(integer("epoch"))
            .col(boolean_null("succeeded"))
            .primary_key(Index::create().col("event_id").col("target_id"))
            .to_owned(),
        Table::create()
            .table("attempt")
            .col(id())
            .col(text("event_id"))
            .col(text("target_id"))
            .col(text("uri"))
            .col(text("status"))
            .col(integer_null("response_code"))
            .col(text_null("failure_reason"))
            .col(text_null("response_excerpt"))
            .col(big_integer_null("duration_ms"))
            .col(big_integer("created_at"))
            .to_owned(),
        Table::create()
            .table("mail")
            .col(id())
            .col(text("recipient"))
            .col(text("subject"))
            .col(text("body"))
            .col(big_integer("due_at"))
            .col(integer("attempts"))
            .col(big_integer("created_at"))
            .to_owned(),
    ]
}

fn indexes() -> [IndexCreateStatement; 13] {
    [
        index("api_key", &["organization_id", "environment", "id"]),
        index("target", &["organization_id", "environment", "id"]),
        index("signing_key", &["target_id", "id"]),
        index("status_change", &["target_id", "id"]),
        index("audit_entry", &["organization_id", "environment", "id"]),
        // How many activations an organization began of late, however much else it did.
        index("audit_entry", &["organization_id", "environment", "action", "id"]),
        index("event", &["organization_id", "environment", "id"]),
        index("event", &["organization_id", "environment", "idempotency_key"])
            .unique()
            .and_where(Expr::col("idempotency_key").is_not_null())
            .to_owned(),
        index("delivery", &["target_id", "event_id"]),
        // What is due, target by target, retries apart: claiming costs the same however much waits
        // elsewhere.
        index("delivery", &["target_id", "is_retry", "due_at"])
            .and_where(Expr::col("due_at").is_not_null())
            .to_owned(),
        // What a target missed (D5): few rows, however many it received.
        index("delivery", &["target_id", "event_id", "succeeded"])
            .and_where(Expr::col("succeeded").not())
            .to_owned(),
        index("attempt", &["event_id", "id"]),
        index("attempt", &["target_id", "id"]),
    ]
}

fn id() -> ColumnDef {
    text("id").primary_key().to_owned()
}

/// A key from `{parent}_id` to the parent, which takes this row along when it goes.
fn belongs_to(table: &'static str, parent: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_{parent}"))
        .from(table, format!("{parent}_id"))
        .to(parent, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("{table}_by_{}", columns.join("_"))).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}
