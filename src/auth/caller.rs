//! Who is asking: the bearer of an API key (G1).
//!
//! Each request asks the database, so that a key ends everywhere the moment it is revoked (G13).

use std::time::Duration;

use entity::{ApiKeyId, ApiKeyKind, api_key};

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
