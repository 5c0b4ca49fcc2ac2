//! Keeps a second server away from an SQLite file.
//!
//! The engine counts on being the only one that writes outcomes to the file. The
//! lock is the operating system's, so it ends with the process however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context, bail, ensure};

use crate::db::sqlite_file::SqliteFile;

/// The right to run a server on a database, held until it is dropped.
#[derive(Debug)]
pub struct Ownership {
    _lock: Option<File>,
}

impl Ownership {
    /// Takes the database at `url`. PostgreSQL may have many servers.
    ///
    /// # Errors
    /// When another process runs a server on the same SQLite file, or may do so by another name of it.
    pub fn take(url: &str) -> anyhow::Result<Self> {
        let Some(file) = SqliteFile::of(url)? else { return Ok(Self { _lock: None }) };
        file.check_place()?;
        check_names(&file)?;
        let path = file.path().with_added_extension("lock");
        let name = path.display();
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.with_context(|| format!("{name} could not be opened"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => bail!(
                "another reprise serves this database already (it holds {name}); \
                 stop it first, or use PostgreSQL for several replicas"
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{name} could not be locked"))
            }
        }
    }
}

/// Refuses a file with several names. The lock, and the log that SQLite keeps beside the file, go by one of
/// them: who opens it by another one finds neither.
fn check_names(file: &SqliteFile) -> anyhow::Result<()> {
    let names = file.path().metadata().map_or(1, |metadata| metadata.nlink());
    ensure!(
        names <= 1,
        "the database {0} is one file with {names} names (hard links), and what SQLite keeps beside it goes by \
         one of them: remove the others, which `find -samefile {0}` lists",
        file.named().display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_server_at_a_time() {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("a.db").display());
        let first = Ownership::take(&url).unwrap();
        let second = Ownership::take(&url).unwrap_err().to_string();
        assert!(second.contains("another reprise serves this database"), "{second}");
        drop(first);
        Ownership::take(&url).unwrap();
    }

    #[test]
    fn a_file_has_one_server_through_whichever_link_it_is_reached() {
        let folder = tempfile::TempDir::new().unwrap();
        std::os::unix::fs::symlink("a b.db", folder.path().join("link.db")).unwrap();
        let url = |name| format!("sqlite://{}/{name}", folder.path().display());
        let _first = Ownership::take(&url("a%20b.db")).unwrap();
        for other in ["a b.db", "link.db", "./a%20b.db?mode=rw"] {
            assert!(Ownership::take(&url(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn postgres_has_any_number() {
        let url = "postgres://localhost/reprise";
        let _first = Ownership::take(url).unwrap();
        Ownership::take(url).unwrap();
    }
}
