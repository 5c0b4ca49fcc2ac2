//! `reprise keys rotate-encryption`: exchanges the key that secrets are encrypted with.
//!
//! Secrets are sealed again in batches, each batch in one transaction. Wherever
//! that ends, each secret is sealed with one of the keys that were given, so servers that
//! have the same keys go on, and the command can be run again.

use std::collections::BTreeSet;

use anyhow::bail;
use entity::{SigningKeyId, TargetId};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::cli::output;
use crate::config::{database, encryption};
use crate::db::{Db, Ownership, despite_conflicts};
use crate::error::Result;
use crate::store::{encryption_keys, signing_keys, targets};
use crate::vault::Vault;

/// How many secrets are sealed in one transaction.
const BATCH: u64 = 100;

/// Which keys, and which database.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Makes a new key and puts it in front of those in the key file. For an SQLite database, while no
    /// server runs on it.
    #[arg(long)]
    new_key: bool,
    #[command(flatten)]
    output: output::Options,
    #[command(flatten)]
    encryption: encryption::Options,
    #[command(flatten)]
    database: database::Options,
}

/// Does it.
pub async fn run(Options { new_key, output, encryption, database }: Options) -> anyhow::Result<()> {
    let url = &database.database_url;
    if new_key && !database.is_sqlite() {
        bail!(
            "other servers on this database would not have the new key: give it to them first, behind the old one"
        );
    }
    database.require()?;
    let _ownership = new_key.then(|| Ownership::take(url)).transpose()?;
    let Some(mut vault) = encryption.vault(&database)? else {
        bail!(
            "there is no encryption key at {}; name its file with --encryption-key-file",
            encryption.file(&database)?.display()
        );
    };
    let db = database.open_existing().await?;
    if new_key {
        vault = encryption::renew(&encryption.file(&database)?)?;
    }
    let Resealed { count, unopened } = reseal(&db, &vault).await?;
    let ids: Vec<_> = unopened.iter().map(SigningKeyId::as_str).collect();
    output.report(
        &format!("{count} secrets were encrypted again, with the first of the keys."),
        &json!({ "encrypted": count, "unopened": ids, "hasEarlierKeys": vault.has_previous() }),
    )?;
    if !ids.is_empty() {
        bail!("none of the keys opens these, which stay as they were: {}", ids.join(", "));
    }
    if vault.has_previous() {
        output
            .remark("The other keys are needed for backups of the database from before only. Remove them.")?;
    }
    Ok(())
}

/// What has become of the secrets.
#[derive(Debug, Default)]
pub struct Resealed {
    /// How many are sealed with the first key that were not before.
    pub count: usize,
    /// Which could not be opened.
    pub unopened: Vec<SigningKeyId>,
}

/// Seals every secret with the first key of the vault.
///
/// # Errors
/// When the database fails. What was done until then stays done.
pub async fn reseal(db: &Db, vault: &Vault) -> anyhow::Result<Resealed> {
    let mut done = Resealed::default();
    let mut last = None;
    while let Some(next) = reseal_batch(db, vault, last.as_ref(), &mut done).await? {
        last = Some(next);
    }
    record(db, vault).await?;
    Ok(done)
}

/// From now on the first key is the one that belongs to the database. Whoever has not the one that did so
/// far has no say in that, unless there is nothing that it would open.
async fn record(db: &Db, vault: &Vault) -> Result<()> {
    despite_conflicts(|| async {
        let tx = db.begin().await?;
        let recorded = encryption_keys::find(&tx).await?;
        if recorded.is_none_or(|key| vault.has(&key)) || signing_keys::sealers(&tx).await?.is_empty() {
            encryption_keys::record(&tx, vault.key_id()).await?;
        }
        tx.commit().await
    })
    .await
}

/// The batch behind `after`. Answers where it ended, or none if there was nothing left.
async fn reseal_batch(
    db: &Db,
    vault: &Vault,
    after: Option<&SigningKeyId>,
    done: &mut Resealed,
) -> anyhow::Result<Option<SigningKeyId>> {
    let tx = db.begin().await?;
    let keys = signing_keys::sealed_otherwise(&tx, vault.key_id(), after, BATCH).await?;
    let last = keys.last().map(|key| key.id.clone());
    // Whoever removes a target takes its keys in an order of its own.
    let targets: BTreeSet<TargetId> = keys.iter().map(|key| key.target_id.clone()).collect();
    targets::lock_all(&tx, targets.into_iter().collect()).await?;
    for key in keys {
        let id = key.id.as_str();
        let Ok(secret) = vault.open(id, &key.sealed_secret) else {
            done.unopened.push(key.id);
            continue;
        };
        signing_keys::reseal(&tx, &key, vault.seal(id, secret.expose_secret())?).await?;
        done.count += 1;
    }
    tx.commit().await?;
    Ok(last)
}
