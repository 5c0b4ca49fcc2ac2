//! Keeps secrets encrypted at rest (K4), and makes what has to be unguessable.
//!
//! XChaCha20-Poly1305 with a random nonce; the id of the row is bound in, so a
//! sealed secret is of no use in any other row.

use std::fmt;

use anyhow::{Context, anyhow, ensure};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::SecretString;
use sha2::Sha256;

/// How many bytes an encryption key has.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const KEY_ID_BYTES: usize = 4;

/// Seals and opens secrets with one encryption key.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    key_id: [u8; KEY_ID_BYTES],
    cursor_key: [u8; 32],
}

impl Vault {
    /// A vault that opens with `key`.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let key_id = derive(key, b"reprise key id");
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
            key_id: [key_id[0], key_id[1], key_id[2], key_id[3]],
            cursor_key: derive(key, b"reprise cursors"),
        }
    }

    /// The key by which the server knows its own cursors again.
    pub fn cursor_key(&self) -> [u8; 32] {
        self.cursor_key
    }

    /// Encrypts `secret` for the row `row` alone: key id, nonce, ciphertext.
    pub fn seal(&self, row: &str, secret: &str) -> anyhow::Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = random();
        let payload = Payload { msg: secret.as_bytes(), aad: row.as_bytes() };
        let ciphertext = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| anyhow!("a secret could not be encrypted"))?;
        Ok([self.key_id.as_slice(), &nonce, &ciphertext].concat())
    }

    /// Decrypts what [`Vault::seal`] made for the same row.
    ///
    /// # Errors
    /// When it was sealed with another key, for another row, or was changed since.
    pub fn open(&self, row: &str, sealed: &[u8]) -> anyhow::Result<SecretString> {
        let (key_id, rest) = sealed.split_at_checked(KEY_ID_BYTES).context("a sealed secret is cut off")?;
        let (nonce, ciphertext) =
            rest.split_first_chunk::<NONCE_BYTES>().context("a sealed secret is cut off")?;
        ensure!(key_id == self.key_id, "the secret of {row} was encrypted with another key");
        let payload = Payload { msg: ciphertext, aad: row.as_bytes() };
        let secret = self
            .cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| anyhow!("the secret of {row} was changed, or belongs to another row"))?;
        Ok(String::from_utf8(secret).context("a secret is no text")?.into())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
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
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_opens_in_its_own_row_only() {
        let vault = Vault::new(&[1; KEY_BYTES]);
        let sealed = vault.seal("nsk_1", "the secret").unwrap();
        assert_eq!(vault.open("nsk_1", &sealed).unwrap().expose_secret(), "the secret");
        assert!(vault.open("nsk_2", &sealed).is_err());
        assert!(Vault::new(&[2; KEY_BYTES]).open("nsk_1", &sealed).is_err());
        assert!(!sealed.windows(10).any(|bytes| bytes == b"the secret"));
    }

    #[test]
    fn a_damaged_secret_is_an_error_wherever_it_is_cut() {
        let vault = Vault::new(&[1; KEY_BYTES]);
        let sealed = vault.seal("nsk_1", "the secret").unwrap();
        for length in 0..sealed.len() {
            assert!(vault.open("nsk_1", &sealed[..length]).is_err());
        }
    }
}
