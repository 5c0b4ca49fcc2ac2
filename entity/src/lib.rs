//! The rows of the database, their typed ids and the closed vocabularies that
//! the database, the API and the wire share.
//!
//! Nothing here reads or writes: queries live in the server's `store`.

pub mod api_key;
pub mod attempt;
pub mod audit_entry;
pub mod delivery;
pub mod encryption_key;
pub mod event;
pub mod event_name;
pub mod id;
pub mod mail;
pub mod organization;
pub mod signing_key;
pub mod status_change;
pub mod subscription;
pub mod target;
pub mod timekeeping;
pub mod timestamp;
pub mod vocabulary;

pub use event_name::{EventName, NotificationEventName};
pub use id::{
    ApiKeyId, AttemptId, AuditEntryId, EventId, MailId, OrganizationId, SigningKeyId, StatusChangeId,
    TargetId,
};
pub use timestamp::Timestamp;
pub use vocabulary::{
    ApiKeyKind, AttemptStatus, AuditAction, DeliveryState, Environment, FailureReason, Purpose, TargetStatus,
};
