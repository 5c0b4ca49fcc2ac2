//! The payloads of all mutations: what was asked for, or why it was not done (G4).

use async_graphql::{SimpleObject, Union};

use crate::error::{Error, Result};
use crate::graphql::api_key::ApiKey;
use crate::graphql::errors::{AccessDeniedError, Failure, UserError};
use crate::graphql::event::NotificationEvent;
use crate::graphql::organization::Organization;
use crate::graphql::target::WebhookNotificationTarget;

/// The payload of a mutation; none of it only if we failed ourselves.
pub(super) type Payload<P> = Option<Result<P, Failure>>;

/// Says how a mutation ended.
#[expect(clippy::unnecessary_wraps, reason = "the field is nullable, and this is how it says so")]
pub(super) fn of<T, P>(outcome: Result<T>) -> Payload<P>
where
    P: From<T> + From<UserError> + From<AccessDeniedError>,
{
    Some(match outcome {
        Ok(done) => Ok(done.into()),
        Err(Error::Invalid(errors)) => Ok(UserError::from(errors).into()),
        Err(Error::Denied(message)) => Ok(AccessDeniedError { message }.into()),
        Err(error) => Err(error.into()),
    })
}

/// Extension: the events of one call.
#[derive(Debug, SimpleObject)]
pub(super) struct PublishedNotificationEvents {
    /// Extension: the events in the order of the input; for an idempotency key that was used before, the event
    /// that was published with it first.
    pub events: Vec<NotificationEvent>,
}

/// Extension: an organization and its first keys. The keys are shown only here.
#[derive(Debug, SimpleObject)]
pub(super) struct CreatedOrganization {
    /// Extension: the organization.
    pub organization: Organization,
    /// Extension: an INTEGRATOR key to its TEST environment.
    pub test_key: ApiKey,
    /// Extension: an INTEGRATOR key to its LIVE environment.
    pub live_key: ApiKey,
}

macro_rules! payloads {
    ($($(#[$meta:meta])* $name:ident = $done:ident;)*) => { $(
        #[derive(Debug, Union)]
        #[allow(clippy::large_enum_variant, reason = "there is one of them a mutation")]
        $(#[$meta])*
        pub(crate) enum $name {
            /// It was done.
            Done($done),
            /// The input breaks rules.
            Invalid(UserError),
            /// The key may not.
            Denied(AccessDeniedError),
        }
    )* };
}

payloads! {
    /// The new target, or why it was not added.
    AddWebhookNotificationTargetPayload = WebhookNotificationTarget;
    /// The target, or why it is not being activated.
    ActivateNotificationTargetPayload = WebhookNotificationTarget;
    /// The target, or why it was not deactivated.
    DeactivateNotificationTargetPayload = WebhookNotificationTarget;
    /// The target as it was before it was removed, or why it was not.
    RemoveNotificationTargetPayload = WebhookNotificationTarget;
    /// The target under its new name, or why it was not renamed.
    RenameNotificationTargetPayload = WebhookNotificationTarget;
    /// The target with its new email address, or why it was not set.
    SetEmailForNotificationTargetPayload = WebhookNotificationTarget;
    /// The target without an email address, or why it was not removed.
    RemoveEmailFromNotificationTargetPayload = WebhookNotificationTarget;
    /// The target with the subscriptions added, or why they were not.
    AddSubscriptionsToNotificationTargetPayload = WebhookNotificationTarget;
    /// The target without the subscriptions, or why they were not removed.
    RemoveSubscriptionsFromNotificationTargetPayload = WebhookNotificationTarget;
    /// The target with its new signing key, or why there is none.
    RotateNotificationTargetSigningKeyPayload = WebhookNotificationTarget;
    /// The event that is being delivered again, or why it is not.
    ReplayNotificationEventPayload = NotificationEvent;
    /// The new API key, or why it was not made.
    #[graphql(name = "CreateSecretAPIKeyPayload")]
    CreateSecretApiKeyPayload = ApiKey;
    /// The API key, which no longer works, or why it was not revoked.
    #[graphql(name = "RevokeAPIKeyPayload")]
    RevokeApiKeyPayload = ApiKey;
    /// Extension: the published events, or why none was published.
    PublishNotificationEventsPayload = PublishedNotificationEvents;
    /// Extension: the event that tests the target, or why it was not sent.
    InitiateNotificationPingTestPayload = NotificationEvent;
    /// Extension: the new organization, or why it was not created.
    CreateOrganizationPayload = CreatedOrganization;
}
