//! The closed vocabularies: one enum each for GraphQL, database and wire.
//!
//! What differs between the values is asked of them here, never compared elsewhere.

use async_graphql::Enum;
use sea_orm::{DeriveActiveEnum, EnumIter};

macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident $(as $shown:literal)? { $($(#[$value_meta:meta])* $value:ident,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Enum, EnumIter, DeriveActiveEnum)]
        $(#[graphql(name = $shown)])?
        #[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum $name { $($(#[$value_meta])* $value,)* }
    };
}

vocabulary! {
    /// The environment that an API key acts in. The two share nothing.
    Environment as "IntegrationEnvironment" {
        /// For trying things out: fewer attempts, no mail.
        Test,
        /// For real notifications.
        Live,
    }
}

impl Environment {
    /// Targets have an email address in the live environment only (T12).
    pub fn keeps_email(self) -> bool {
        self == Self::Live
    }

    /// In the live environment customers must not publish events for themselves (X4).
    pub fn lets_integrators_publish(self) -> bool {
        self == Self::Test
    }

    /// The word in an API key: `sk_test_…`, `sk_live_…` (G1).
    pub fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

vocabulary! {
    /// Extension: what an API key is for.
    ApiKeyKind as "APIKeyKind" {
        /// A customer's key. It manages notification targets, reads, and publishes events in TEST only.
        Integrator,
        /// A key of whoever runs the server. It also publishes events for any organization and creates
        /// organizations.
        Platform,
    }
}

vocabulary! {
    /// The life of a notification target.
    TargetStatus as "NotificationTargetStatus" {
        /// The target was sent an activation notification and has not yet answered it with a 2xx.
        PendingVerification,
        /// The target receives the events that it subscribes to.
        Active,
        /// Deliveries are stopped, by hand or because one of them failed all its attempts.
        Deactivated,
        /// The target was active before, and did not answer its new activation notification with a 2xx.
        ActivationFailed,
    }
}

vocabulary! {
    /// How an attempt to deliver an event ended.
    AttemptStatus as "DeliveryAttemptStatus" {
        /// The target answered with a 2xx in time.
        Success,
        /// The target did not answer with a 2xx in time.
        Failure,
        /// Nothing was sent, because the target was deactivated.
        Skipped,
    }
}

vocabulary! {
    /// Extension: why an attempt failed.
    FailureReason as "DeliveryFailureReason" {
        /// The host name of the URI could not be resolved.
        Dns,
        /// No connection could be made to any address of the host.
        Connect,
        /// No secure connection could be agreed on, for example because of an invalid certificate.
        Tls,
        /// No complete answer came within the time allowed.
        Timeout,
        /// The answer had a status other than 2xx; redirects are not followed.
        Status,
        /// The host resolves to an address that notifications are not sent to.
        BlockedAddress,
        /// The connection was cut off, or what came back was not valid HTTP.
        Protocol,
    }
}

vocabulary! {
    /// Where a delivery stands.
    DeliveryState {
        /// To be attempted when it is due.
        Waiting,
        /// Claimed by a worker until its lease ends.
        Claimed,
        /// Claimed, and replayed since: it is to be sent once more when the claim ends.
        Replayed,
        /// Ended with a 2xx.
        Succeeded,
        /// Ended after its last attempt failed.
        Failed,
        /// Ended without an attempt.
        Skipped,
    }
}

vocabulary! {
    /// What a delivery is for: it decides its schedule and what its end means for the target.
    Purpose {
        /// An event that the target subscribes to.
        Event,
        /// The notification that a target must answer to become active (W7).
        Activation,
        /// A test of the target at its owner's request (X2).
        Ping,
    }
}

vocabulary! {
    /// Extension: what an entry of the audit trail says was done.
    AuditAction {
        /// A target was added.
        TargetAdded,
        /// A target was given another name.
        TargetRenamed,
        /// The activation of a target began.
        TargetActivated,
        /// A target was deactivated by hand.
        TargetDeactivated,
        /// A target was removed.
        TargetRemoved,
        /// The email address of a target was set.
        EmailSet,
        /// The email address of a target was removed.
        EmailRemoved,
        /// Names were added to the subscriptions of a target.
        SubscriptionsAdded,
        /// Names were removed from the subscriptions of a target.
        SubscriptionsRemoved,
        /// A target was given a new signing key.
        SigningKeyRotated,
        /// An event was sent again.
        EventReplayed,
        /// A target was sent a ping test.
        PingSent,
        /// An API key was made.
        ApiKeyCreated,
        /// An API key was revoked.
        ApiKeyRevoked,
        /// An organization was created.
        OrganizationCreated,
    }
}
