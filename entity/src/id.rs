//! Typed ids: a prefix that names the kind, `_`, and a UUIDv7 as 32 hex digits (G9).
//!
//! A UUIDv7 begins with its time, so ids sort by age as text and one index
//! serves both look-up and paging.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::DeriveValueType;
use uuid::{Builder, Uuid};

use crate::Timestamp;

/// The text is no id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MalformedId;

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident = $prefix:literal;)*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind starts with, before the `_`.
            pub const PREFIX: &'static str = $prefix;

            /// A new id that sorts after all that this process made before.
            pub fn new(now: Timestamp) -> Self {
                Self(format!(concat!($prefix, "_{}"), uuid_at(now).simple()))
            }

            /// Sorts before every id made at `now` or later, and after every earlier one.
            pub fn first_at(now: Timestamp) -> Self {
                Self(format!(concat!($prefix, "_{:012x}{:020x}"), millis(now), 0))
            }

            /// When it was made.
            pub fn made_at(&self) -> Timestamp {
                let digits = self.0.get($prefix.len() + 1..$prefix.len() + 13).unwrap_or_default();
                Timestamp::from_millis(i64::from_str_radix(digits, 16).unwrap_or_default())
            }

            /// The id as it is stored and shown.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            fn from_str(text: &str) -> Result<Self, MalformedId> {
                let digits = text.strip_prefix(concat!($prefix, "_")).ok_or(MalformedId)?;
                is_lower_hex(digits).then(|| Self(text.to_owned())).ok_or(MalformedId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&$name> for sea_orm::Value {
            fn from(id: &$name) -> Self {
                id.0.as_str().into()
            }
        }

        // What lets a sea-orm entity use the type as its primary key.
        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )* };
}

ids! {
    /// An organization.
    OrganizationId = "org";
    /// An API key.
    ApiKeyId = "key";
    /// A notification target.
    TargetId = "ntt";
    /// A signing key of a target.
    SigningKeyId = "nsk";
    /// A change of a target's status.
    StatusChangeId = "nsh";
    /// A notification event.
    EventId = "nee";
    /// An attempt to deliver an event.
    AttemptId = "nda";
    /// An entry of the audit trail.
    AuditEntryId = "nal";
    /// A mail that waits to be sent.
    MailId = "mail";
}

/// Exactly the milliseconds of `now`, then a count that keeps the ids of one millisecond in
/// the order in which this process made them, then 48 random bits.
fn uuid_at(now: Timestamp) -> Uuid {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0; 10];
    // The version takes the upper half of the first byte, the variant two bits of the third.
    bytes[..2].copy_from_slice(&(((count >> 14) & 0xfff) as u16).to_be_bytes());
    bytes[2..4].copy_from_slice(&((count & 0x3fff) as u16).to_be_bytes());
    bytes[4..].copy_from_slice(&rand::random::<[u8; 6]>());
    Builder::from_unix_timestamp_millis(millis(now), &bytes).into_uuid()
}

/// What 48 bits hold, which is enough until the year 10889.
fn millis(now: Timestamp) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(0) & 0xffff_ffff_ffff
}

fn is_lower_hex(digits: &str) -> bool {
    digits.len() == 32 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_keep_their_order() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let ids: Vec<_> = (0..1_000).map(|_| EventId::new(now)).collect();
        assert!(ids.is_sorted());
        assert!(ids[999] < EventId::new(Timestamp::from_millis(1_700_000_000_001)));
        assert!(EventId::new(Timestamp::from_millis(1_699_999_999_999)) < ids[0], "time may go back");
    }

    #[test]
    fn a_time_divides_the_ids() {
        let (before, at) =
            (Timestamp::from_millis(1_699_999_999_999), Timestamp::from_millis(1_700_000_000_000));
        assert!(EventId::new(before) < EventId::first_at(at));
        assert!(EventId::first_at(at) < EventId::new(at));
        assert_eq!((EventId::new(at).made_at(), EventId::first_at(before).made_at()), (at, before));
    }

    #[test]
    fn only_the_exact_form_is_an_id() {
        let good = "ntt_0190163d8694739b8a4f0123456789ab";
        assert_eq!(good.parse::<TargetId>().unwrap().as_str(), good);
        for bad in [
            "",
            "ntt_",
            "nee_0190163d8694739b8a4f0123456789ab",
            "ntt_0190163D8694739b8a4f0123456789ab",
            "ntt_0190163d8694739b8a4f0123456789a",
            "ntt_0190163d8694739b8a4f0123456789abc",
            "ntt_\0",
        ] {
            assert_eq!(bad.parse::<TargetId>(), Err(MalformedId), "{bad:?}");
        }
    }
}
