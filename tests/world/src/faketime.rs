//! A wrong time for a program in a process of its own: it stands in a file, and a library tells it in place of
//! the system. What runs evenly is left alone.

use std::fs;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};

/// The library; none on a machine without it, which is a failure with `CI` set.
pub fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let mut libraries = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    let library = libraries.find(|library| library.exists());
    if library.is_none() {
        assert!(std::env::var_os("CI").is_none(), "there is no libfaketime");
        writeln!(stderr(), "skipped: there is no libfaketime").ok();
    }
    library
}

/// What the environment says of a program that is told the time by `file`: `+0`, or by how many seconds it is wrong.
pub fn environment(library: &Path, file: &Path) -> [(&'static str, String); 4] {
    let [library, file] = [library, file].map(|path| path.display().to_string());
    [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", file),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}
