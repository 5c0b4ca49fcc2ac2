//! Who is asking: the bearer of an API key (G1).

use entity::{ApiKeyId, ApiKeyKind};

use crate::app::App;
use crate::error::Result;
use crate::rules::credential;
use crate::store::{Scope, api_keys};

/// The bearer of a valid API key.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key.
    pub key: ApiKeyId,
    /// What the key is for.
    pub kind: ApiKeyKind,
    /// Whose data the key opens.
    pub scope: Scope,
}

impl Caller {
    /// Whether the caller runs the server (X4).
    pub fn is_platform(&self) -> bool {
        self.kind == ApiKeyKind::Platform
    }
}

impl App {
    /// Reads the value of an `Authorization` header. None, whatever the cause: the header
    /// cannot be read, or the key is unknown or revoked.
    pub async fn authenticate(&self, authorization: &str) -> Result<Option<Caller>> {
        let Some(key) = credential::basic(authorization) else { return Ok(None) };
        let found = api_keys::find_valid(self.db.reader(), &credential::hash(&key)).await?;
        Ok(found.map(|key| Caller {
            key: key.id,
            kind: key.kind,
            scope: Scope { organization: key.organization_id, environment: key.environment },
        }))
    }
}
