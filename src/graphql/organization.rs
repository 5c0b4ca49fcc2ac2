//! An organization as one of its API keys sees it: in that key's environment.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::{Environment, organization};

use crate::graphql::api_key::ApiKey;
use crate::graphql::audit::AuditEntry;
use crate::graphql::context::caller;
use crate::graphql::errors::Failure;
use crate::graphql::page::{self, Connection};
use crate::graphql::target::WebhookNotificationTarget;
use crate::store::lists::{ApiKeys, AuditTrail, Targets};

/// The row of an organization.
#[derive(Debug, Clone)]
pub(super) struct Organization(pub organization::Model);

/// The owner of targets, events and API keys. Everything below it belongs to the environment of the
/// request's API key.
#[Object]
impl Organization {
    /// The id, `org_…`.
    pub async fn id(&self) -> ID {
        self.0.id.as_str().into()
    }

    /// The organization's profile.
    async fn profile(&self, ctx: &Context<'_>) -> OrganizationProfile {
        let environment = caller(ctx).scope.environment;
        OrganizationProfile {
            display_name: Some(self.0.display_name.clone()),
            environment: Some(environment),
        }
    }

    /// The organization's API keys, newest first, revoked ones too; null for an organization
    /// other than the caller's own.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many keys, 1 to 200; 20 if left out.")] first: Option<i32>,
        #[graphql(desc = "Reads what follows this cursor of the same list.")] after: Option<String>,
    ) -> Option<Result<Connection<ApiKey>, Failure>> {
        if !self.is_own(ctx) {
            return None;
        }
        Some(page::of(ctx, ApiKeys, first, after).await)
    }

    /// The organization's targets, newest first, in every status; null for an organization other
    /// than the caller's own.
    async fn webhook_notification_targets(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many targets, 1 to 200; 20 if null.")] first: Option<i32>,
        #[graphql(desc = "Reads what follows this cursor of the same list.")] after: Option<String>,
    ) -> Option<Result<Connection<WebhookNotificationTarget>, Failure>> {
        if !self.is_own(ctx) {
            return None;
        }
        Some(page::of(ctx, Targets, first, after).await)
    }

    /// Extension: who changed what in the organization, and when, newest first; null for an organization
    /// other than the caller's own. It does not have published events and what the server does by itself:
    /// these have lists and histories of their own.
    async fn audit_trail(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "Extension: how many entries, 1 to 200; 20 if null.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Extension: reads what follows this cursor of the same list.")] after: Option<
            String,
        >,
    ) -> Option<Result<Connection<AuditEntry>, Failure>> {
        if !self.is_own(ctx) {
            return None;
        }
        Some(page::of(ctx, AuditTrail, first, after).await)
    }
}

impl Organization {
    /// Whether it is the caller's. Who creates an organization is answered one that is not, and
    /// lists of the caller's scope would be shown as that one's.
    fn is_own(&self, ctx: &Context<'_>) -> bool {
        self.0.id == caller(ctx).scope.organization
    }
}

/// The profile of an organization.
#[derive(Debug, SimpleObject)]
pub(super) struct OrganizationProfile {
    /// The organization's name for people.
    display_name: Option<String>,
    /// The environment that the API key of the request acts in.
    environment: Option<Environment>,
}
