//! The login of a request: from its `Authorization` header to a caller.

use std::net::IpAddr;

use entity::{Timestamp, api_key};
use subtle::ConstantTimeEq;

use crate::auth::caller::Login;
use crate::auth::key_lookup::KeyLookup;
use crate::auth::login_throttle::LoginThrottle;
use crate::db::Db;
use crate::error::Result;
use crate::quota::limits::FailedLogins;
use crate::rules::credential;

/// Tells callers by their keys.
#[derive(Debug)]
pub struct Logins {
    keys: KeyLookup,
    throttle: LoginThrottle,
    /// How many may fail; none: any number.
    limits: Option<FailedLogins>,
}

impl Logins {
    /// Logins by the keys of this database.
    pub fn start(db: Db, limits: Option<FailedLogins>) -> Self {
        Self { keys: KeyLookup::start(db), throttle: LoginThrottle::default(), limits }
    }

    /// Reads the value of an `Authorization` header that came from this address.
    pub async fn authenticate(&self, authorization: &str, from: IpAddr, now: Timestamp) -> Result<Login> {
        let key = credential::basic(authorization).filter(|key| credential::has_form_of_key(key));
        let hash = key.map(|key| credential::hash(&key));
        let is_known = hash.as_deref().is_some_and(|hash| self.throttle.knows(hash));
        let limits = self.limits.filter(|_| !is_known);
        if let Some(limits) = limits
            && let Err(wait) = self.throttle.attempt(from, limits, now)
        {
            return Ok(Login::TooMany(wait));
        }
        let Some(hash) = hash else { return Ok(Login::Unknown) };
        let found = self.find_key(&hash).await;
        if limits.is_some() && !matches!(found, Ok(None)) {
            self.throttle.undo(from);
        }
        let Some(key) = found? else {
            self.throttle.forget(&hash);
            return Ok(Login::Unknown);
        };
        self.throttle.remember(hash);
        Ok(Login::Caller(key.into()))
    }

    /// The valid key of this hash. The index compares what it finds byte by byte, so the whole is compared
    /// once more in constant time; of a hash that says nothing about the key, but it costs nothing.
    async fn find_key(&self, hash: &str) -> Result<Option<api_key::Model>> {
        let found = self.keys.find(hash.to_owned()).await?;
        Ok(found.filter(|key| key.hash.as_bytes().ct_eq(hash.as_bytes()).into()))
    }
}
