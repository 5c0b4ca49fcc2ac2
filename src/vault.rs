//! Keeps secrets encrypted at rest (K4), and makes what has to be unguessable.
//!
//! XChaCha20-Poly1305 with a random nonce; the id of the row is bound in, so a
//! sealed secret is of no use in any other row. Before it stands the id of the key
//! that sealed it, so that keys can be exchanged while the server runs.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;

/// How many bytes an encryption key has.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// How many bytes of a sealed secret tell which key sealed it. They stand in front.
pub const KEY_ID_BYTES: usize = 4;

/// Which encryption key: what is told of it in the open.
pub type KeyId = [u8; KEY_ID_BYTES];

/// Seals with one encryption key, and opens with that one and with earlier ones.
#[derive(Clone)]
pub struct Vault(Arc<Keys>);

struct Keys {
    current: Key,
    /// Those that still open.
    previous: Vec<Key>,
}

/// One key. It is wiped from memory with the last vault that has it.
struct Key {
    id: KeyId,
    cipher: XChaCha20Poly1305,
    cursors: SecretBox<[u8; 32]>,
}

impl Vault {
    /// A vault that seals and opens with `key`.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self::with_previous(key, [])
    }

    /// A vault that seals with `key`, and opens what was sealed with it or with one of `previous`.
    pub fn with_previous<'a>(
        key: &[u8; KEY_BYTES],
        previous: impl IntoIterator<Item = &'a [u8; KEY_BYTES]>,
    ) -> Self {
        let previous = previous.into_iter().map(Key::new).collect();
        Self(Arc::new(Keys { current: Key::new(key), previous }))
    }

    /// The keys by which the server knows its own cursors again; new ones are sealed with the first.
    pub fn cursor_keys(&self) -> Vec<[u8; 32]> {
        self.keys().map(|key| *key.cursors.expose_secret()).collect()
    }

    /// The id of the key that seals.
    pub fn key_id(&self) -> KeyId {
        self.0.current.id
    }

    /// Whether there is a key of this id.
    pub fn has(&self, id: &KeyId) -> bool {
        self.keys().any(|key| key.id == *id)
    }

    /// Whether there are keys that only open.
    pub fn has_previous(&self) -> bool {
        !self.0.previous.is_empty()
    }

    /// Encrypts `secret` for the row `row` alone: key id, nonce, ciphertext.
    pub fn seal(&self, row: &str, secret: &str) -> anyhow::Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = random();
        let payload = Payload { msg: secret.as_bytes(), aad: row.as_bytes() };
        let Key { id, cipher, .. } = &self.0.current;
        let ciphertext = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| anyhow!("a secret could not be encrypted"))?;
        Ok([id.as_slice(), &nonce, &ciphertext].concat())
    }

    /// Decrypts what [`Vault::seal`] made for the same row.
    ///
    /// # Errors
    /// When it was sealed with a key that is not here, for another row, or was changed since.
    pub fn open(&self, row: &str, sealed: &[u8]) -> anyhow::Result<SecretString> {
        let (id, rest) = sealed.split_first_chunk().context("a sealed secret is cut off")?;
        let (nonce, ciphertext) =
            rest.split_first_chunk::<NONCE_BYTES>().context("a sealed secret is cut off")?;
        let (nonce, payload) = (XNonce::from(*nonce), Payload { msg: ciphertext, aad: row.as_bytes() });
        let mut keys = self.keys().filter(|key| key.id == *id).peekable();
        if keys.peek().is_none() {
            bail!("the secret of {row} was encrypted with another key, {}", hex::encode(id));
        }
        let secret = keys
            .find_map(|key| key.cipher.decrypt(&nonce, Payload { ..payload }).ok())
            .with_context(|| format!("the secret of {row} was changed, or belongs to another row"))?;
        Ok(String::from_utf8(secret).context("a secret is no text")?.into())
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.0.current).chain(&self.0.previous)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Key {
    fn new(key: &[u8; KEY_BYTES]) -> Self {
        let [a, b, c, d, ..] = derive(key, b"reprise key id");
        let cursors = Box::new(derive(key, b"reprise cursors"));
        Self {
            id: [a, b, c, d],
            cipher: XChaCha20Poly1305::new(key.into()),
            cursors: SecretBox::new(cursors),
        }
    }
}

/// Bytes that nobody can guess, from the system's generator.
pub fn random<const N: usize>() -> [u8; N] {
    rand::random()
}

fn derive(key: &[u8; KEY_BYTES], purpose: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key)
        .expect("HMAC takes keys of any length")
        .chain_update(purpose)
        .finalize()
        .into_bytes()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [u8; KEY_BYTES] = [1; KEY_BYTES];
    const NEW: [u8; KEY_BYTES] = [2; KEY_BYTES];

    #[test]
    fn a_secret_opens_in_its_own_row_only() {
        let vault = Vault::new(&OLD);
        let sealed = vault.seal("nsk_1", "the secret").unwrap();
        assert_eq!(vault.open("nsk_1", &sealed).unwrap().expose_secret(), "the secret");
        assert!(vault.open("nsk_2", &sealed).is_err());
        assert!(Vault::new(&NEW).open("nsk_1", &sealed).is_err());
        assert!(!sealed.windows(10).any(|bytes| bytes == b"the secret"));
    }

    #[test]
    fn a_damaged_secret_is_an_error_wherever_it_is_cut() {
        let vault = Vault::new(&OLD);
        let sealed = vault.seal("nsk_1", "the secret").unwrap();
        for length in 0..sealed.len() {
            assert!(vault.open("nsk_1", &sealed[..length]).is_err());
        }
    }

    #[test]
    fn a_changed_secret_is_an_error_wherever_it_was_changed() {
        let vault = Vault::with_previous(&NEW, [&OLD]);
        let sealed = vault.seal("nsk_1", "the secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open("nsk_1", &changed).is_err(), "{at}");
        }
    }

    #[test]
    fn previous_keys_open_and_the_first_key_seals() {
        let (old, both) = (Vault::new(&OLD), Vault::with_previous(&NEW, [&OLD]));
        let sealed = old.seal("nsk_1", "the secret").unwrap();
        assert_eq!(both.open("nsk_1", &sealed).unwrap().expose_secret(), "the secret");
        let sealed = both.seal("nsk_1", "the secret").unwrap();
        assert!(sealed.starts_with(&both.key_id()));
        assert!(old.open("nsk_1", &sealed).is_err());
        assert!(Vault::new(&NEW).open("nsk_1", &sealed).is_ok());
    }

    #[test]
    fn errors_and_debug_tell_no_secret() {
        let vault = Vault::new(&OLD);
        let sealed = vault.seal("nsk_1", "swordfish").unwrap();
        for told in [
            format!("{vault:?}"),
            format!("{:?}", vault.open("nsk_1", &sealed).unwrap()),
            format!("{:?}", vault.open("nsk_2", &sealed).unwrap_err()),
            format!("{:?}", Vault::new(&NEW).open("nsk_1", &sealed).unwrap_err()),
        ] {
            assert!(!told.contains("swordfish") && !told.contains("1, 1, 1"), "{told}");
        }
    }
}
