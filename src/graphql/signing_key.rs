//! A signing key: the one place where its secret is shown.

use async_graphql::{Context, ID, Object};
use entity::signing_key;
use secrecy::ExposeSecret;

use crate::error::Error;
use crate::graphql::context::app;
use crate::graphql::errors::Failure;

/// The row of a key, with its secret sealed.
#[derive(Debug, Clone)]
pub(super) struct SigningKey(pub signing_key::Model);

/// A key that signs what is sent to a target. The header `highnote-signature` has, for each unexpired key,
/// the HMAC-SHA256 of the body as 64 lowercase hex digits, joined by commas.
#[Object]
impl SigningKey {
    /// The id, `nsk_…`.
    pub async fn id(&self) -> ID {
        self.0.id.as_str().into()
    }

    /// The key of the HMAC: the bytes of this text as it is, without decoding. Whoever knows it can forge
    /// notifications.
    async fn secret(&self, ctx: &Context<'_>) -> Option<Result<String, Failure>> {
        let opened = app(ctx).vault.open(self.0.id.as_str(), &self.0.sealed_secret);
        Some(
            opened.map(|secret| secret.expose_secret().to_owned()).map_err(|error| Error::from(error).into()),
        )
    }

    /// When the key was made, ISO 8601 in UTC with milliseconds.
    async fn created_at(&self) -> Option<String> {
        Some(self.0.created_at.to_string())
    }

    /// When the key stops signing, ISO 8601 in UTC with milliseconds; null for the current key.
    async fn expires_at(&self) -> Option<String> {
        self.0.expires_at.map(|at| at.to_string())
    }
}
