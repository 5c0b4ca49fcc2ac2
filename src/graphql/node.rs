//! Everything that has an id, found by it (G6).

use async_graphql::{Context, ID, Interface};
use entity::{ApiKeyId, AttemptId, EventId, OrganizationId, SigningKeyId, TargetId};

use crate::error::Result;
use crate::graphql::api_key::ApiKey;
use crate::graphql::attempt::DeliveryAttempt;
use crate::graphql::context::{app, caller, loaders};
use crate::graphql::errors::Failure;
use crate::graphql::event::NotificationEvent;
use crate::graphql::organization::Organization;
use crate::graphql::signing_key::SigningKey;
use crate::graphql::target::WebhookNotificationTarget;
use crate::store::{api_keys, attempts, organizations, signing_keys};

/// Anything that has an id of its own.
#[derive(Debug, Interface)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "The id: a prefix that tells the type, `_`, and 32 hex digits."
))]
pub(super) enum Node {
    /// `key_…`
    ApiKey(ApiKey),
    /// `nda_…`
    DeliveryAttempt(DeliveryAttempt),
    /// `nee_…`
    NotificationEvent(NotificationEvent),
    /// `org_…`
    Organization(Organization),
    /// `nsk_…`
    SigningKey(SigningKey),
    /// `ntt_…`
    WebhookNotificationTarget(WebhookNotificationTarget),
}

/// What has this id, if the caller may see it. A malformed id is that of nothing.
pub(super) async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, Failure> {
    if let Ok(id) = id.parse::<TargetId>() {
        let target = loaders(ctx).load_one(id).await?;
        return Ok(target.map(|row| Node::WebhookNotificationTarget(row.into())));
    }
    if let Ok(id) = id.parse::<EventId>() {
        let event = loaders(ctx).load_one(id).await?;
        return Ok(event.map(|row| Node::NotificationEvent(row.into())));
    }
    Ok(find_row(ctx, id).await?)
}

async fn find_row(ctx: &Context<'_>, id: &str) -> Result<Option<Node>> {
    let (db, scope) = (app(ctx).db.reader(), &caller(ctx).scope);
    if let Ok(id) = id.parse::<AttemptId>() {
        let attempt = attempts::find(db, scope, &id).await?;
        return Ok(attempt.map(|row| Node::DeliveryAttempt(row.into())));
    }
    if let Ok(id) = id.parse::<SigningKeyId>() {
        let key = signing_keys::find(db, scope, &id, app(ctx).now()).await?;
        return Ok(key.map(|row| Node::SigningKey(SigningKey(row))));
    }
    if let Ok(id) = id.parse::<ApiKeyId>() {
        let key = api_keys::find_in(db, scope, &id).await?;
        return Ok(key.map(|row| Node::ApiKey(row.into())));
    }
    if let Ok(id) = id.parse::<OrganizationId>() {
        return Ok(find_organization(ctx, &id).await?.map(Node::Organization));
    }
    Ok(None)
}

/// The caller's own organization, if that is the one of this id.
pub(super) async fn find_organization(
    ctx: &Context<'_>,
    id: &OrganizationId,
) -> Result<Option<Organization>> {
    if *id != caller(ctx).scope.organization {
        return Ok(None);
    }
    Ok(organizations::find(app(ctx).db.reader(), id).await?.map(Organization))
}
