//! The key that secrets in the database are encrypted with: from the environment,
//! from a file, or made on the first start.
//!
//! A key that exists is never overwritten, and two starts at once end up with the
//! same one: without its key, a database holds no signing secrets any more.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;

use crate::config::{database, secret};
use crate::vault::{self, KEY_BYTES, Vault};

const VARIABLE: &str = "REPRISE_ENCRYPTION_KEY";
const FILE: &str = "reprise.key";

/// The encryption key.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Encryption")]
pub struct Options {
    /// A file with the key that secrets are encrypted with: 32 bytes as 64 hex digits or base64.
    /// The key itself may be given as `REPRISE_ENCRYPTION_KEY` instead. [default: `reprise.key` beside
    /// the SQLite file or in the current folder, made on the first start]
    #[arg(long, env = "REPRISE_ENCRYPTION_KEY_FILE", value_name = "FILE")]
    pub encryption_key_file: Option<PathBuf>,
}

impl Options {
    /// A vault with the key, if there is one.
    ///
    /// # Errors
    /// When what was given is no key, or the file that was named cannot be read.
    pub fn vault(&self, database: &database::Options) -> anyhow::Result<Option<Vault>> {
        if let Some(text) = secret::read(self.encryption_key_file.as_deref(), VARIABLE)? {
            return open(&text, &self.source()).map(Some);
        }
        let file = default_file(database);
        if !file.try_exists()? {
            return Ok(None);
        }
        open(&secret::from_file(&file)?, &file.display().to_string()).map(Some)
    }

    fn source(&self) -> String {
        self.encryption_key_file.as_ref().map_or(VARIABLE.to_owned(), |file| file.display().to_string())
    }
}

/// Where the key is when nobody says otherwise.
pub fn default_file(database: &database::Options) -> PathBuf {
    database.folder().join(FILE)
}

/// Makes a key file that only its owner can read, and a vault with its key. If somebody else
/// made it at the same time, theirs counts.
pub fn make(file: &Path) -> anyhow::Result<Vault> {
    let problem = || format!("the encryption key could not be written to {}", file.display());
    write(file, &hex::encode(vault::random::<KEY_BYTES>())).with_context(problem)?;
    open(&secret::from_file(file)?, &file.display().to_string())
}

/// Written whole under another name first, so that nobody ever reads half a key.
fn write(file: &Path, key: &str) -> anyhow::Result<()> {
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut draft = NamedTempFile::new_in(folder)?;
    writeln!(draft, "{key}")?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(file) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

fn open(text: &SecretString, source: &str) -> anyhow::Result<Vault> {
    let Some(key) = parse(text.expose_secret()) else {
        bail!("{source} holds no encryption key: give 32 bytes as 64 hex digits or base64");
    };
    Ok(Vault::new(&key))
}

fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    let base64 = text.trim_end_matches('=');
    hex::decode(text)
        .or_else(|_| BASE64_STANDARD_NO_PAD.decode(base64))
        .or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(base64))
        .ok()?
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_hex_or_base64() {
        let (mixed, standard) = ("fB".repeat(32), "+/".repeat(21));
        for (text, expected) in [
            ("00".repeat(32), Some([0; 32])),
            (mixed, Some([0xfb; 32])),
            ("A".repeat(43), Some([0; 32])),
            (format!("{}=", "A".repeat(43)), Some([0; 32])),
            ("_".repeat(42) + "8", Some([255; 32])),
            ("/".repeat(42) + "8=", Some([255; 32])),
            (standard, None),
            ("00".repeat(31), None),
            ("0".repeat(63), None),
            ("g".repeat(64), None),
            (String::new(), None),
            ("secret".to_owned(), None),
        ] {
            assert_eq!(parse(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let sealed = make(&file).unwrap().seal("nsk_1", "secret").unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(make(&file).unwrap().open("nsk_1", &sealed).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn all_who_start_at_once_have_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let vaults: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| make(&file).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(vaults.iter().all(|vault| vault.cursor_key() == vaults[0].cursor_key()));
    }

    #[test]
    fn a_file_without_a_key_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        std::fs::write(&file, "").unwrap();
        let error = make(&file).unwrap_err().to_string();
        assert!(error.contains("64 hex digits"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), b"");
    }
}
