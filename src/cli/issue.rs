//! Makes API keys. The key itself is shown once and stored nowhere.

use entity::{ApiKeyKind, AuditAction, Environment, OrganizationId, Timestamp, api_key};
use sea_orm::ConnectionTrait;

use crate::cli::output::Table;
use crate::error::Result;
use crate::rules::credential;
use crate::store::Scope;
use crate::store::api_keys::{self, NewKey};
use crate::store::audit::{self, Note};
use crate::vault;

/// A key that was just made.
#[derive(Debug)]
pub struct Issued {
    /// Its row.
    pub row: api_key::Model,
    /// The key.
    pub key: String,
}

/// Makes a key, and notes it in the audit trail of its scope.
pub async fn key(
    tx: &impl ConnectionTrait,
    scope: &Scope,
    kind: ApiKeyKind,
    name: &str,
    now: Timestamp,
) -> Result<Issued> {
    let key = credential::key(scope.environment, vault::random());
    let new = NewKey { kind, name, hash: credential::hash(&key), redacted: credential::redact(&key) };
    let row = api_keys::add(tx, scope, new, now).await?;
    let note = Note { key: None, action: AuditAction::ApiKeyCreated, subject: row.id.to_string() };
    audit::add(tx, scope, note, now).await?;
    Ok(Issued { row, key })
}

/// Makes a key in each environment.
pub async fn pair(
    tx: &impl ConnectionTrait,
    organization: &OrganizationId,
    kind: ApiKeyKind,
    now: Timestamp,
) -> Result<[Issued; 2]> {
    let scope = |environment| Scope { organization: organization.clone(), environment };
    let name = "First key";
    Ok([
        key(tx, &scope(Environment::Test), kind, name, now).await?,
        key(tx, &scope(Environment::Live), kind, name, now).await?,
    ])
}

/// The keys as they are shown this once.
pub fn table<'a>(keys: impl IntoIterator<Item = &'a Issued>) -> Table {
    let cells = |issued: &Issued| {
        let row = &issued.row;
        vec![
            Some(row.id.to_string()),
            Some(row.organization_id.to_string()),
            Some(row.environment.word().to_owned()),
            Some(word(row.kind).to_owned()),
            Some(row.name.clone()),
            Some(issued.key.clone()),
        ]
    };
    Table::new(&["id", "organization", "environment", "kind", "name", "key"], keys.into_iter().map(cells))
}

/// The word for a kind of key on the command line.
pub fn word(kind: ApiKeyKind) -> &'static str {
    match kind {
        ApiKeyKind::Integrator => "integrator",
        ApiKeyKind::Platform => "platform",
    }
}
