//! Who is asking: the bearer of an API key (G1).
//!
//! Each request asks the database, so that a key ends everywhere the moment it is revoked (G13).

use std::net::IpAddr;
use std::time::Duration;

use entity::{ApiKeyId, ApiKeyKind, api_key};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::error::Result;
use crate::rules::credential;
use crate::store::Scope;

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

/// How a login ended.
#[derive(Debug)]
pub enum Login {
    /// The key is valid.
    Caller(Caller),
    /// It is not, whatever the cause: the header cannot be read, or the key is unknown or revoked.
    Unknown,
    /// Too many have failed, and this one may be tried after a while.
    TooMany(Duration),
}

impl Caller {
    /// Whether the caller runs the server (X4).
    pub fn is_platform(&self) -> bool {
        self.kind == ApiKeyKind::Platform
    }

    /// Whether the caller may publish events (X4).
    pub fn may_publish(&self) -> bool {
        self.is_platform() || self.scope.environment.lets_integrators_publish()
    }
}

impl From<api_key::Model> for Caller {
    fn from(key: api_key::Model) -> Self {
        let scope = Scope { organization: key.organization_id, environment: key.environment };
        Self { key: key.id, kind: key.kind, scope }
    }
}

impl App {
    /// Reads the value of an `Authorization` header that came from this address.
    pub async fn authenticate(&self, authorization: &str, from: IpAddr) -> Result<Login> {
        let key = credential::basic(authorization).filter(|key| credential::has_form_of_key(key));
        let hash = key.map(|key| credential::hash(&key));
        let is_known = hash.as_deref().is_some_and(|hash| self.logins.knows(hash));
        let limits = self.settings.door.failed_logins.filter(|_| !is_known);
        if let Some(limits) = limits
            && let Err(wait) = self.logins.attempt(from, limits, self.now())
        {
            return Ok(Login::TooMany(wait));
        }
        let Some(hash) = hash else { return Ok(Login::Unknown) };
        let found = self.find_key(&hash).await;
        if limits.is_some() && !matches!(found, Ok(None)) {
            self.logins.undo(from);
        }
        let Some(key) = found? else {
            self.logins.forget(&hash);
            return Ok(Login::Unknown);
        };
        self.logins.remember(hash);
        Ok(Login::Caller(key.into()))
    }

    /// The valid key of this hash. The index compares what it finds byte by byte, so the whole is compared
    /// once more in constant time; of a hash that says nothing about the key, but it costs nothing.
    async fn find_key(&self, hash: &str) -> Result<Option<api_key::Model>> {
        let found = self.keyring.find(hash.to_owned()).await?;
        Ok(found.filter(|key| key.hash.as_bytes().ct_eq(hash.as_bytes()).into()))
    }
}
