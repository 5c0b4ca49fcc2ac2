//! Where notifications go, and what signs them: read once, and kept as long as it is true.
//!
//! A target's row tells whether its recipient has changed, by the count of its rotations too;
//! so reading the row again is enough to know that the recipient still holds.

use std::collections::HashMap;
use std::sync::Arc;

use entity::{TargetId, Timestamp, signing_key, target};
use parking_lot::{Mutex, MutexGuard};
use sea_orm::ConnectionTrait;
use secrecy::ExposeSecret;

use crate::error::Result;
use crate::outbound::Destination;
use crate::rules::signature::Signer;
use crate::store::signing_keys;
use crate::vault::Vault;

/// How many recipients are kept.
const KEPT: usize = 4_096;

/// A target and its signing keys, newest first. Deliveries share it.
#[derive(Debug)]
pub(crate) struct Recipient {
    /// The target.
    pub target: target::Model,
    /// Its URI, read.
    pub destination: Destination,
    /// Its unexpired keys.
    pub signer: Signer,
    /// When the first of the keys expires.
    until: Option<Timestamp>,
}

/// The recipients of targets that were asked for. Who is not among them is gone.
pub(crate) type KnownRecipients = HashMap<TargetId, Result<Arc<Recipient>, NoRecipient>>;

/// Why a target has no recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRecipient {
    /// Its secrets cannot be opened, or its URI cannot be read. Its deliveries wait, one lease after
    /// another, for somebody to put that right; those of others do not.
    Unreadable,
    /// It was removed (T10).
    Gone,
}

/// What of a target cannot be read.
#[derive(Debug)]
enum Damage {
    Keys(anyhow::Error),
    Uri(anyhow::Error),
}

impl Damage {
    fn report(&self, target_id: &TargetId) {
        let (Self::Keys(error) | Self::Uri(error)) = self;
        let error = format!("{error:#}");
        match self {
            Self::Keys(_) => tracing::error!(%target_id, error, "deliveries wait for the encryption key"),
            Self::Uri(_) => tracing::error!(%target_id, error, "deliveries wait for a URI that can be read"),
        }
    }
}

impl Recipient {
    fn new(target: target::Model, keys: &[signing_key::Model], vault: &Vault) -> Result<Self, Damage> {
        let open = |key: &signing_key::Model| vault.open(key.id.as_str(), &key.sealed_secret);
        let secrets = keys.iter().map(open).collect::<anyhow::Result<Vec<_>>>().map_err(Damage::Keys)?;
        let signer = Signer::new(secrets.iter().map(ExposeSecret::expose_secret));
        let destination = Destination::new(&target.uri).map_err(Damage::Uri)?;
        let until = keys.iter().filter_map(|key| key.expires_at).min();
        Ok(Self { target, destination, signer, until })
    }

    fn is_of(&self, target: &target::Model, now: Timestamp) -> bool {
        self.target == *target && self.until.is_none_or(|until| now < until)
    }
}

/// The recipients that were needed recently. Cheap to clone; all clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Recipients {
    vault: Vault,
    /// Nothing is kept of a target that was removed but that it was: whoever has read it before hears of it.
    kept: Arc<Mutex<HashMap<TargetId, Option<Arc<Recipient>>>>>,
}

impl Recipients {
    /// An empty one.
    pub(crate) fn new(vault: Vault) -> Self {
        Self { vault, kept: Arc::default() }
    }

    /// The recipients of targets that were just read. Keys are read of those only that are new or have
    /// changed.
    pub(crate) async fn find(
        &self,
        db: &impl ConnectionTrait,
        targets: Vec<target::Model>,
        now: Timestamp,
    ) -> Result<KnownRecipients> {
        let (mut recipients, unknown) = self.look_up(targets, now);
        if unknown.is_empty() {
            return Ok(recipients);
        }
        let ids: Vec<_> = unknown.iter().map(|target| target.id.clone()).collect();
        let mut keys = signing_keys::of_targets(db, &ids, now).await?;
        for target in unknown {
            let (id, keys) = (target.id.clone(), keys.remove(&target.id).unwrap_or_default());
            let recipient = Recipient::new(target, &keys, &self.vault).map(Arc::new).map_err(|damage| {
                damage.report(&id);
                NoRecipient::Unreadable
            });
            if let Ok(recipient) = &recipient {
                self.keep(id.clone(), Some(recipient.clone()));
            }
            recipients.insert(id, recipient);
        }
        Ok(recipients)
    }

    /// Takes note of those of the targets that were asked for and are not there any more.
    pub(crate) fn note_gone(&self, asked: &[TargetId], found: &mut KnownRecipients) {
        for id in asked {
            if !found.contains_key(id) {
                self.keep(id.clone(), None);
                found.insert(id.clone(), Err(NoRecipient::Gone));
            }
        }
    }

    /// The recipient of the target as it was last read; none if nothing of it is kept.
    pub(crate) fn latest(&self, target: &TargetId) -> Option<Result<Arc<Recipient>, NoRecipient>> {
        let kept = self.kept().get(target).cloned();
        kept.map(|recipient| recipient.ok_or(NoRecipient::Gone))
    }

    /// What is known of these targets, and those of which nothing is.
    fn look_up(&self, targets: Vec<target::Model>, now: Timestamp) -> (KnownRecipients, Vec<target::Model>) {
        let kept = self.kept();
        let (mut known, mut unknown) = (KnownRecipients::new(), Vec::new());
        for target in targets {
            match kept.get(&target.id) {
                Some(None) => drop(known.insert(target.id, Err(NoRecipient::Gone))),
                Some(Some(recipient)) if recipient.is_of(&target, now) => {
                    known.insert(target.id, Ok(recipient.clone()));
                }
                _ => unknown.push(target),
            }
        }
        (known, unknown)
    }

    fn keep(&self, id: TargetId, recipient: Option<Arc<Recipient>>) {
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(id, recipient);
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<TargetId, Option<Arc<Recipient>>>> {
        self.kept.lock()
    }
}

#[cfg(test)]
mod tests {
    use entity::{Environment, OrganizationId, TargetStatus};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn target() -> target::Model {
        target::Model {
            id: TargetId::new(NOW),
            organization_id: OrganizationId::new(NOW),
            environment: Environment::Test,
            name: "A target".to_owned(),
            uri: "https://company.com/hooks".to_owned(),
            email: None,
            email_failed_at: None,
            status: TargetStatus::Active,
            created_at: NOW,
            updated_at: NOW,
            deactivated_at: None,
            activated_at: Some(NOW),
            epoch: 0,
            rotations: 0,
        }
    }

    fn remember(recipients: &Recipients, target: &target::Model) {
        let recipient = Recipient::new(target.clone(), &[], &recipients.vault).unwrap();
        recipients.keep(target.id.clone(), Some(Arc::new(recipient)));
    }

    #[test]
    fn a_removal_is_remembered_by_readers_with_an_older_row() {
        let (recipients, target, other) = (Recipients::new(Vault::new(&[7; 32])), target(), target());
        remember(&recipients, &target);
        remember(&recipients, &other);
        let (mut found, unknown) = recipients.look_up(vec![other.clone()], NOW);
        assert!(unknown.is_empty());
        recipients.note_gone(&[target.id.clone(), other.id.clone()], &mut found);
        assert!(matches!(found[&target.id], Err(NoRecipient::Gone)));
        assert!(found[&other.id].is_ok());

        let (known, unknown) = recipients.look_up(vec![target.clone()], NOW);
        assert!(unknown.is_empty() && matches!(known[&target.id], Err(NoRecipient::Gone)));
        assert!(matches!(recipients.latest(&target.id), Some(Err(NoRecipient::Gone))));
        assert!(recipients.latest(&other.id).is_some_and(|latest| latest.is_ok()));
        assert!(recipients.latest(&TargetId::new(NOW)).is_none());
    }

    #[test]
    fn damage_is_distinguished() {
        let vault = Vault::new(&[7; 32]);
        let damage = |uri: &str, keys: &[signing_key::Model]| {
            Recipient::new(target::Model { uri: uri.to_owned(), ..target() }, keys, &vault).unwrap_err()
        };
        let key = signing_key::Model {
            id: entity::SigningKeyId::new(NOW),
            target_id: TargetId::new(NOW),
            sealed_secret: vec![0; 64],
            created_at: NOW,
            expires_at: None,
        };
        assert!(matches!(damage("https://company.com/", &[key]), Damage::Keys(_)));
        assert!(matches!(damage("company.com", &[]), Damage::Uri(_)));
    }

    #[test]
    fn the_latest_recipient_shows_a_deactivation() {
        let (recipients, before) = (Recipients::new(Vault::new(&[7; 32])), target());
        remember(&recipients, &before);
        let after = target::Model { epoch: 1, ..before.clone() };
        assert_eq!(recipients.look_up(vec![after.clone()], NOW).1.first(), Some(&after));
        remember(&recipients, &after);
        assert_eq!(recipients.latest(&before.id).unwrap().unwrap().target.epoch, 1);
    }
}
