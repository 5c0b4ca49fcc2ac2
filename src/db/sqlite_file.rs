//! The file that an SQLite URL names. A URL is read here and nowhere else, so that the lock, the rights and
//! the data belong to one file however it is written, and through whichever link it is reached.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use percent_encoding::percent_decode_str;

/// How many links may lead to a file; the system gives up after as many.
const LINKS: usize = 40;

/// A database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteFile {
    named: PathBuf,
    is_made_when_missing: bool,
}

impl SqliteFile {
    /// The file that a URL names; none, if it is no URL of SQLite.
    ///
    /// # Errors
    /// When it names none, or says how to open it in a way that a server cannot work with.
    pub fn of(url: &str) -> anyhow::Result<Option<Self>> {
        let Some(rest) = url.strip_prefix("sqlite:") else { return Ok(None) };
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        let path = percent_decode_str(path).decode_utf8().context("the name of the database is no text")?;
        ensure!(
            !path.is_empty() && path != ":memory:",
            "SQLite's databases in memory end with the connection: name a file, like sqlite://reprise.db"
        );
        ensure!(!path.contains('\0'), "the name of the database has a zero in it");
        ensure!(!path.ends_with('/'), "the database {path} is a folder: name a file in it");
        // Several slashes are one. A name that begins with `file:` would be a URL to SQLite once more.
        let named = PathBuf::from(path.as_ref()).components().collect();
        Ok(Some(Self { named, is_made_when_missing: is_made_when_missing(options)? }))
    }

    /// As it was named.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// Where it is, behind all links. The same file has the same one.
    pub fn path(&self) -> PathBuf {
        let mut path = self.named.clone();
        for _ in 0..LINKS {
            let Ok(next) = fs::read_link(&path) else { break };
            path = folder(&path).join(next);
        }
        let name = path.file_name().map(ToOwned::to_owned);
        match (folder(&path).canonicalize(), name) {
            (Ok(folder), Some(name)) => folder.join(name),
            // There is no such folder, which opening the file will tell.
            _ => std::path::absolute(&path).unwrap_or(path),
        }
    }

    /// The companion of this ending: `-wal`, `-shm`.
    pub fn companion(&self, ending: &str) -> PathBuf {
        let mut path = self.path().into_os_string();
        path.push(ending);
        path.into()
    }

    /// Whether opening it makes it.
    pub fn is_made_when_missing(&self) -> bool {
        self.is_made_when_missing
    }

    /// Refuses a place where no file can be, before anything is made there.
    ///
    /// # Errors
    /// When it is a folder, or its folder is missing.
    pub fn check_place(&self) -> anyhow::Result<()> {
        let path = self.path();
        let (name, folder) = (self.named.display(), folder(&path));
        ensure!(!path.is_dir(), "the database {name} is a folder: name a file in it");
        ensure!(
            folder.is_dir(),
            "the database {name} cannot be there: make the folder {} first",
            folder.display()
        );
        Ok(())
    }

    /// Whether there is such a file.
    pub fn exists(&self) -> bool {
        self.path().exists()
    }
}

/// The folder that a file is in.
pub(super) fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

fn is_made_when_missing(options: &str) -> anyhow::Result<bool> {
    let mut is_made = true;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option {
            "mode=rwc" => is_made = true,
            "mode=rw" => is_made = false,
            other => {
                bail!("{other:?} in the URL of the database: only mode=rwc and mode=rw go with a server")
            }
        }
    }
    Ok(is_made)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_url_names_one_file() {
        for (url, path) in [
            ("sqlite://reprise.db", "reprise.db"),
            ("sqlite:reprise.db", "reprise.db"),
            ("sqlite:reprise.db?mode=rwc", "reprise.db"),
            ("sqlite://data/reprise.db?mode=rw", "data/reprise.db"),
            ("sqlite:///d/my%20db.db", "/d/my db.db"),
            ("sqlite:///d/my db.db", "/d/my db.db"),
            ("sqlite:///d/a%3Fb%23c.db?", "/d/a?b#c.db"),
            ("sqlite:///d/a#b.db", "/d/a#b.db"),
            ("sqlite:///d/100%.db", "/d/100%.db"),
            ("sqlite:////d/x.db", "/d/x.db"),
            ("sqlite:/d//./x.db", "/d/x.db"),
            ("sqlite://./x.db", "./x.db"),
            ("sqlite:///d/%C3%A4.db", "/d/ä.db"),
        ] {
            let file = SqliteFile::of(url).unwrap().unwrap();
            assert_eq!(file.named(), Path::new(path), "{url}");
            assert_eq!(file.is_made_when_missing(), !url.contains("mode=rw") || url.contains("rwc"), "{url}");
        }
    }

    #[test]
    fn urls_that_name_no_file_are_refused() {
        for url in [
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite://?mode=memory",
            "sqlite://a.db?mode=memory",
            "sqlite://a.db?mode=ro",
            "sqlite://a.db?cache=shared",
            "sqlite://a.db?immutable=1",
            "sqlite://a.db?vfs=unix-none",
            "sqlite://a%00.db",
            "sqlite://a%FF.db",
            "sqlite://data/",
            "sqlite:///",
        ] {
            assert!(SqliteFile::of(url).is_err(), "{url}");
        }
        assert_eq!(SqliteFile::of("postgres://host/name").unwrap(), None);
    }

    #[test]
    fn a_file_has_its_place_in_a_folder_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str| {
            let url = format!("sqlite://{}{name}", folder.path().display());
            SqliteFile::of(&url).unwrap().unwrap().check_place().map_err(|error| error.to_string())
        };
        assert_eq!(check("/a.db"), Ok(()));
        assert!(check("").unwrap_err().contains("is a folder"));
        assert!(check("/missing/a.db").unwrap_err().contains("/missing first"));
    }

    #[test]
    fn all_ways_to_a_file_lead_to_one_path() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let path =
            |name: &str| SqliteFile::of(&format!("sqlite://{}", at(name).display())).unwrap().unwrap().path();
        fs::create_dir(at("data")).unwrap();
        symlink("data", at("linked")).unwrap();
        symlink("data/a.db", at("b.db")).unwrap();
        symlink(at("b.db"), at("data/c.db")).unwrap();
        let names = ["data/a.db", "linked/a.db", "b.db", "data/c.db", "linked/c.db", "data/../b.db"];
        // Before the file is there, and after.
        for _ in 0..2 {
            for name in names {
                assert_eq!(path(name), path("data/a.db"), "{name}");
            }
            fs::write(at("data/a.db"), "").unwrap();
        }
    }
}
