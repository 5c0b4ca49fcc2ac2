//! Sees to it that a server has the encryption key that belongs to its database.
//!
//! The first server that starts on a database records which one it is. Of several that start at once
//! with keys of their own, one does; the others do not start, rather than seal what only they could open.

use anyhow::anyhow;
use tracing::{error, info};

use crate::config::{self, database, encryption};
use crate::db::{Db, despite_conflicts};
use crate::error::{Error, Result};
use crate::store::{encryption_keys, organizations, signing_keys};
use crate::vault::{KeyId, Vault};

/// The vault of the database: with the keys that were given, or with one that is made now because none can
/// be missed. Secrets that it cannot open keep nobody from starting, but are told of.
pub(super) async fn unlock(given: Option<Vault>, config: &config::Options, db: &Db) -> anyhow::Result<Vault> {
    let sealers = signing_keys::sealers(db.reader()).await?;
    let recorded = encryption_keys::find(db.reader()).await?;
    let vault = match given {
        Some(vault) if recorded.is_some_and(|key| vault.has(&key)) => vault,
        given => despite_conflicts(|| claim(given.as_ref(), config, db)).await?,
    };
    let unknown = sealers.iter().filter(|key| !vault.has(key)).map(hex::encode).collect::<Vec<_>>();
    if !unknown.is_empty() {
        let keys = unknown.join(", ");
        error!(keys, "some secrets were sealed with other encryption keys; deliveries that need them wait");
    }
    Ok(vault)
}

/// Makes the key of this server the one of the database, if that has none. Of those who try at the same
/// time, one comes after the other.
async fn claim(given: Option<&Vault>, config: &config::Options, db: &Db) -> Result<Vault> {
    let (encryption, database) = (&config.encryption, &config.database);
    let tx = db.begin().await?;
    organizations::lock_all(&tx).await?;
    let sealers = signing_keys::sealers(&tx).await?;
    let recorded = encryption_keys::find(&tx).await?;
    // A file has one server, so a key that has sealed nothing is missed by nobody.
    let recorded = recorded.filter(|_| !(database.is_sqlite() && sealers.is_empty()));
    let vault = match given {
        Some(vault) if belongs(vault, recorded, &sealers) => vault.clone(),
        None if recorded.is_none() && sealers.is_empty() => make_key(encryption, database)?,
        given => return Err(refusal(given, recorded, config)),
    };
    if recorded.is_none() {
        encryption_keys::record(&tx, vault.key_id()).await?;
    }
    tx.commit().await?;
    Ok(vault)
}

/// A database from before keys were recorded is known by what was sealed.
fn belongs(vault: &Vault, recorded: Option<KeyId>, sealers: &[KeyId]) -> bool {
    match recorded {
        Some(key) => vault.has(&key),
        None => sealers.is_empty() || sealers.iter().any(|key| vault.has(key)),
    }
}

fn refusal(given: Option<&Vault>, recorded: Option<KeyId>, config: &config::Options) -> Error {
    match describe(given, recorded, config) {
        Ok(text) => anyhow!(text).into(),
        Err(error) => error.into(),
    }
}

fn describe(
    given: Option<&Vault>,
    recorded: Option<KeyId>,
    config: &config::Options,
) -> anyhow::Result<String> {
    let key = recorded.map(|key| format!(" (its id is {})", hex::encode(key))).unwrap_or_default();
    let elsewhere = if config.database.is_sqlite() {
        "put it back, or name its place with --encryption-key-file"
    } else {
        "copy it from a server that works on this database, or name its place with --encryption-key-file"
    };
    Ok(match given {
        Some(_) => format!(
            "the encryption key is not the one of this database{key}, or an earlier one is missing: {elsewhere}"
        ),
        None => format!(
            "{} is missing, and this database has an encryption key already{key}: {elsewhere}",
            config.encryption.file(&config.database)?.display()
        ),
    })
}

/// Makes a key where none can be missed.
pub(super) fn make_key(options: &encryption::Options, database: &database::Options) -> anyhow::Result<Vault> {
    let file = options.file(database)?;
    let vault = encryption::make(&file)?;
    info!(file = %file.display(), "made an encryption key; keep a copy, without it no secret can be read");
    if !database.is_sqlite() {
        info!("all servers on one PostgreSQL database need the same encryption key");
    }
    Ok(vault)
}
