//! Mails that wait to be sent (D3).

use sea_orm::entity::prelude::*;

use crate::{MailId, TargetId, Timestamp};

/// A mail. Its row is removed when a mail server has taken it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail")]
pub struct Model {
    /// `mail_…`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MailId,
    /// The address that it goes to.
    pub recipient: String,
    /// Its subject, one line.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// When it is to be tried next, or while claimed, when the lease ends.
    pub due_at: Timestamp,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was written.
    pub created_at: Timestamp,
    /// The target that it is about; there may be none of this id any more.
    pub target_id: Option<TargetId>,
}

impl ActiveModelBehavior for ActiveModel {}
