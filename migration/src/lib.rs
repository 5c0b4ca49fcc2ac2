//! The tables of Reprise, written once for SQLite and PostgreSQL.
//!
//! It depends on neither the entities nor the server: history must not move
//! when they do. A migration that has shipped is never edited.

mod m20261122_000001_tables;
mod m20261128_000001_write_probe;
mod m20261128_000002_timekeeping;
mod m20261128_000003_mail_failures;
mod m20261128_000004_encryption_key;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_tables::Migration),
            Box::new(m20261128_000001_write_probe::Migration),
            Box::new(m20261128_000002_timekeeping::Migration),
            Box::new(m20261128_000003_mail_failures::Migration),
            Box::new(m20261128_000004_encryption_key::Migration),
        ]
    }
}
