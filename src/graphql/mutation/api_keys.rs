//! Making and revoking API keys (G13).

use async_graphql::{Context, ID, InputObject, Object};
use entity::{ApiKeyKind, AuditAction};

use crate::app::{App, log};
use crate::auth::Caller;
use crate::auth::issue_keys::{self, Order};
use crate::error::{Error, Path, Result, Violations};
use crate::graphql::api_key::ApiKey;
use crate::graphql::context::{app, caller};
use crate::graphql::mutation::{change, not_found, note};
use crate::graphql::payload::{CreateSecretApiKeyPayload, Payload, RevokeApiKeyPayload};
use crate::rules::text;
use crate::store::api_keys;

/// An API key to make.
#[derive(Debug, InputObject)]
#[graphql(name = "CreateSecretAPIKeyInput")]
pub(super) struct CreateSecretApiKeyInput {
    /// What the key is like.
    secret_key: SecretApiKeyInput,
}

/// What an API key is like.
#[derive(Debug, InputObject)]
#[graphql(name = "SecretAPIKeyInput")]
pub(super) struct SecretApiKeyInput {
    /// What to call the key: 1 to 255 characters other than control characters, else `INVALID_NAME`.
    name: String,
}

/// An API key to be revoked.
#[derive(Debug, InputObject)]
#[graphql(name = "RevokeAPIKeyInput")]
pub(super) struct RevokeApiKeyInput {
    /// The id of the key, `key_…`; not the key itself.
    api_key_id: ID,
}

/// The mutations of API keys.
#[derive(Default)]
pub(super) struct ApiKeyMutations;

#[Object]
impl ApiKeyMutations {
    /// Makes a new INTEGRATOR key for the organization and environment of the calling key. Keep the
    /// answer's `key`: it is not shown again.
    #[graphql(name = "createSecretAPIKey")]
    async fn create_secret_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: CreateSecretApiKeyInput,
    ) -> Payload<CreateSecretApiKeyPayload> {
        change(|| create(app(ctx), caller(ctx), &input)).await
    }

    /// Ends an API key of the same organization and environment at once, even the calling one. A key that
    /// was already revoked stays as it is. With an INTEGRATOR key the payload for a PLATFORM key is an
    /// `AccessDeniedError`.
    #[graphql(name = "revokeAPIKey")]
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which key.")] input: RevokeApiKeyInput,
    ) -> Payload<RevokeApiKeyPayload> {
        change(|| revoke(app(ctx), caller(ctx), &input)).await
    }
}

async fn create(app: &App, caller: &Caller, input: &CreateSecretApiKeyInput) -> Result<ApiKey> {
    let name = &input.secret_key.name;
    let mut violations = Violations::default();
    violations.check(Path::from("secretKey").field("name"), text::name(name));
    violations.join(Ok(()))?;
    let now = app.now();
    let tx = app.db.begin().await?;
    let order = Order { kind: ApiKeyKind::Integrator, name, by: Some(&caller.key) };
    let issued = issue_keys::key(&tx, &caller.scope, order, now).await?;
    tx.commit().await?;
    log::key_made(&issued.row);
    Ok(issued.into())
}

async fn revoke(app: &App, caller: &Caller, input: &RevokeApiKeyInput) -> Result<ApiKey> {
    let now = app.now();
    let tx = app.db.begin().await?;
    let found = match input.api_key_id.parse() {
        Ok(id) => api_keys::find_in(&tx, &caller.scope, &id).await?,
        Err(_) => None,
    };
    let key = found.ok_or_else(|| Error::invalid(not_found("API key"), "apiKeyId"))?;
    if key.kind == ApiKeyKind::Platform && !caller.is_platform() {
        return Err(Error::Denied("Only PLATFORM keys revoke PLATFORM keys.".to_owned()));
    }
    if key.revoked_at.is_some() {
        return Ok(key.into());
    }
    let key = api_keys::revoke(&tx, key, now).await?;
    note(&tx, caller, AuditAction::ApiKeyRevoked, &key.id, now).await?;
    tx.commit().await?;
    log::key_revoked(&key);
    Ok(key.into())
}
