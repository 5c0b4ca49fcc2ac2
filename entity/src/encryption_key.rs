//! Which encryption key belongs to the database: one row at most.

use sea_orm::entity::prelude::*;

/// What is told of the key in the open.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "encryption_key")]
pub struct Model {
    /// Always the same, so that there are no two.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The id of the key, as hex digits.
    pub key_id: String,
}

impl ActiveModelBehavior for ActiveModel {}
