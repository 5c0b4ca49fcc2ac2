//! The keys that secrets in the database are encrypted with: from the environment,
//! from a file, or made on the first start.
//!
//! A key that exists is never lost, and two starts at once end up with the same
//! one: without its key, a database holds no signing secrets any more.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;

use crate::config::{database, secret};
use crate::vault::{self, KEY_BYTES, Vault};

const VARIABLE: &str = "REPRISE_ENCRYPTION_KEY";
const FILE: &str = "reprise.key";

/// The encryption keys.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Encryption")]
pub(crate) struct Options {
    /// A file with the key that secrets are encrypted with: 32 bytes as 64 hex digits or base64. On the
    /// lines below it may stand earlier keys, which open what was encrypted with them. What would be in
    /// the file may be given as `REPRISE_ENCRYPTION_KEY` instead. The file is made on the first start.
    /// [default: `reprise.key` beside the SQLite file or in the current folder]
    #[arg(long, env = "REPRISE_ENCRYPTION_KEY_FILE", value_name = "FILE")]
    pub encryption_key_file: Option<PathBuf>,
}

impl Options {
    /// A vault with the keys, if there are any.
    ///
    /// # Errors
    /// When what was given is no key, or a file that is there cannot be read.
    pub(crate) fn vault(&self, database: &database::Options) -> anyhow::Result<Option<Vault>> {
        if let Some(text) = secret::variable(self.encryption_key_file.as_deref(), VARIABLE)? {
            return open(&text, VARIABLE).map(Some);
        }
        let file = self.file(database)?;
        if !file.try_exists()? {
            return Ok(None);
        }
        open(&secret::from_file(&file)?, &file.display().to_string()).map(Some)
    }

    /// The file that the keys are in, if they are in one.
    ///
    /// # Errors
    /// When they are in the environment.
    pub(crate) fn file(&self, database: &database::Options) -> anyhow::Result<PathBuf> {
        if secret::variable(None, VARIABLE)?.is_some() {
            bail!("the key is in {VARIABLE}: put a new one in front of it there");
        }
        Ok(self.encryption_key_file.clone().unwrap_or_else(|| database.folder().join(FILE)))
    }
}

/// Makes a key file that only its owner can read, and a vault with its key. If somebody else
/// made it at the same time, theirs counts.
pub(crate) fn make(file: &Path) -> anyhow::Result<Vault> {
    let place = file.display().to_string();
    write(file).with_context(|| format!("the encryption key could not be written to {place}"))?;
    open(&secret::from_file(file)?, &place)
}

/// Puts a new key in front of those in the file. They stay: without them nothing could be opened.
pub(crate) fn renew(file: &Path) -> anyhow::Result<Vault> {
    let keys = secret::from_file(file)?;
    let place = file.display().to_string();
    open(&keys, &place)?;
    replace(file, &keys).with_context(|| format!("the encryption key could not be written to {place}"))?;
    open(&secret::from_file(file)?, &place)
}

fn write(file: &Path) -> anyhow::Result<()> {
    match draft(file, "")?.persist_noclobber(file) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(sync_folder(file)?),
    }
}

/// Whoever ran the command, the server can read the file as before.
fn replace(file: &Path, keys: &SecretString) -> anyhow::Result<()> {
    let draft = draft(file, keys.expose_secret())?;
    let before = file.metadata()?;
    fchown(draft.as_file(), Some(before.uid()), Some(before.gid()))?;
    draft.as_file().set_permissions(before.permissions())?;
    draft.persist(file)?;
    Ok(sync_folder(file)?)
}

/// A new key with others below it, written whole under another name, so that nobody ever reads half
/// a key.
fn draft(file: &Path, others: &str) -> std::io::Result<NamedTempFile> {
    let mut draft = NamedTempFile::new_in(folder(file))?;
    let key = Zeroizing::new(vault::random::<KEY_BYTES>());
    writeln!(draft, "{}", hex::encode(key))?;
    others.split_whitespace().try_for_each(|key| writeln!(draft, "{key}"))?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// A name is on the disk when its folder is.
pub(crate) fn sync_folder(file: &Path) -> std::io::Result<()> {
    File::open(folder(file))?.sync_all()
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// The first key seals, all of them open.
fn open(text: &SecretString, source: &str) -> anyhow::Result<Vault> {
    let keys: Option<Vec<_>> =
        text.expose_secret().split_whitespace().map(|key| parse(key).map(Zeroizing::new)).collect();
    let Some([current, previous @ ..]) = keys.as_deref() else {
        bail!("{source} holds no encryption key: give 32 bytes as 64 hex digits or base64, one key a line");
    };
    Ok(Vault::with_previous(current, previous.iter().map(|key| &**key)))
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
    fn servers_that_start_at_once_have_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let vaults: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| make(&file).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(vaults.iter().all(|vault| vault.cursor_keys() == vaults[0].cursor_keys()));
    }

    #[test]
    fn a_new_key_stands_in_front_and_the_file_stays_as_private_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let first = make(&file).unwrap();
        let second = renew(&file).unwrap();
        let third = renew(&file).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 3);
        let ids = [&first, &second, &third].map(Vault::key_id);
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        for vault in [first, second] {
            assert!(third.open("nsk_1", &vault.seal("nsk_1", "secret").unwrap()).is_ok());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn each_word_is_a_key_or_there_is_none() {
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let vault = |text: &str| open(&text.into(), "the file");
        for text in [format!("{two}\n{one}\n"), format!(" {two}\r\n\r\n{one} "), format!("{two} {one}")] {
            let both = vault(&text).unwrap();
            assert_eq!(both.key_id(), Vault::new(&[2; 32]).key_id());
            assert!(both.has_previous());
        }
        for text in [String::new(), "\n".to_owned(), format!("{one}\nsecret"), format!("{one},{two}")] {
            let error = vault(&text).unwrap_err().to_string();
            assert!(
                error.starts_with("the file holds no encryption key") && !error.contains("0101"),
                "{error}"
            );
        }
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
