//! Where the time of the database is.

use sea_orm::entity::prelude::*;

use crate::Timestamp;

/// The id of the one row that there is.
pub const ID: i32 = 1;

/// The one row.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "timekeeping")]
pub struct Model {
    /// Always the same.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// By how many milliseconds the time of the database was ahead of the clock that it follows.
    pub ahead: i64,
    /// What that clock showed then.
    pub since: Timestamp,
    /// The time that the removal of what has expired goes by has come so far.
    pub removed_until: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
