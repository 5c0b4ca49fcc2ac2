//! Makes API keys. The key itself is shown once and stored nowhere.

use entity::{ApiKeyId, ApiKeyKind, AuditAction, Environment, Timestamp, api_key, organization};
use sea_orm::ConnectionTrait;
use secrecy::SecretString;

use crate::error::Result;
use crate::rules::credential;
use crate::store::api_keys::{self, NewKey};
use crate::store::audit::{self, Note};
use crate::store::{Scope, organizations};
use crate::vault;

/// A key about to be made.
#[derive(Debug)]
pub struct Order<'a> {
    /// What it is for.
    pub kind: ApiKeyKind,
    /// What to call it.
    pub name: &'a str,
    /// With which key of the same scope it is made; none for whoever runs the server.
    pub by: Option<&'a ApiKeyId>,
}

/// A key that was just made.
#[derive(Debug)]
pub struct Issued {
    /// Its row.
    pub row: api_key::Model,
    /// The key.
    pub key: SecretString,
}

/// Makes a key, and notes it in the audit trail of its scope.
pub async fn key(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    Order { kind, name, by }: Order<'_>,
    now: Timestamp,
) -> Result<Issued> {
    let key = credential::key(scope.environment, vault::random());
    let new = NewKey { kind, name, hash: credential::hash(&key), redacted: credential::redact(&key) };
    let row = api_keys::add(tx, scope, new, now).await?;
    let note = Note { key: by, action: AuditAction::ApiKeyCreated, subject: row.id.to_string() };
    audit::add(tx, scope, note, now).await?;
    Ok(Issued { row, key: key.into() })
}

/// Makes an organization with a key in each environment: TEST first.
pub async fn organization(
    tx: &impl ConnectionTrait,
    display_name: &str,
    kind: ApiKeyKind,
    now: Timestamp,
) -> Result<(organization::Model, [Issued; 2])> {
    let row = organizations::add(tx, display_name, now).await?;
    let scope = |environment| Scope { organization: row.id.clone(), environment };
    let first = |name| Order { kind, name, by: None };
    let test = key(tx, &scope(Environment::Test), first("First TEST key"), now).await?;
    let live = key(tx, &scope(Environment::Live), first("First LIVE key"), now).await?;
    Ok((row, [test, live]))
}
