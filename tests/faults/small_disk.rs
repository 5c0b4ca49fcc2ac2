//! File systems of a story's own that fill up, fail and turn read-only, for real.
//!
//! Where nothing may be mounted the story says so on the standard error output, and the server gets
//! a limit on the size of its files instead: its writes fail then, as they do on a disk that fails.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::world::program::Site;

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It has no room left.
    Full,
    /// Files cannot grow: writes fail for another reason.
    Failing,
    /// Its file system found an error, and turned read-only.
    ReadOnly,
}

/// A folder on such a disk.
pub struct Disk {
    folder: TempDir,
    mounted: Option<Manner>,
}

/// What takes all the room of the disk.
const FILLER: &str = "filler";

impl Disk {
    pub fn new(manner: Manner) -> Self {
        let mut disk = Self { folder: TempDir::new().unwrap(), mounted: None };
        fs::create_dir(disk.path()).unwrap();
        if manner != Manner::Failing && disk.mount(manner) {
            disk.mounted = Some(manner);
        } else if manner != Manner::Failing {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "NOTHING MAY BE MOUNTED HERE: {manner:?} is shown by a limit on files").unwrap();
        }
        disk
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    pub fn url(&self) -> String {
        format!("sqlite://{}/reprise.db", self.path().display())
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&self, manner: Manner) -> bool {
        if manner == Manner::Full {
            return did(Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
                .arg(self.path()));
        }
        if !self.image().exists() {
            File::create(self.image()).unwrap().set_len(48 << 20).unwrap();
            if !did(Command::new("mkfs.ext4").arg("-q").arg(self.image())) {
                return false;
            }
        }
        let image = self.image();
        did(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(image).arg(self.path()))
    }

    /// How the server has to be started for this disk.
    pub fn command(&self, site: &Site) -> Command {
        let plain = site.command(&["serve"]);
        if self.mounted.is_some() {
            return plain;
        }
        // Who writes beyond the limit is told so, and not killed.
        let mut confined = Command::new("sh");
        confined
            .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
            .arg(plain.get_program())
            .args(plain.get_args());
        confined.current_dir(site.folder.path()).envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?))));
        confined
    }

    /// The trouble begins. So many bytes can still be written.
    pub fn spoil(&self, server: u32, left: u64) {
        match self.mounted {
            Some(Manner::ReadOnly) => {
                assert!(did(Command::new("mount").args(["-o", "remount,abort"]).arg(self.path())));
            }
            Some(_) => self.fill(left),
            None => {
                let log = fs::metadata(self.path().join("reprise.db-wal")).map_or(0, |file| file.len());
                // With nothing left not even what is there can be written over.
                limit(server, &(if left == 0 { 0 } else { log + left }).to_string());
            }
        }
    }

    fn fill(&self, left: u64) {
        let mut filler = File::create(self.path().join(FILLER)).unwrap();
        while filler.write_all(&[0; 4_096]).is_ok() {}
        let length = filler.metadata().unwrap().len();
        filler.set_len(length - left).unwrap();
    }

    /// It is over. What has turned read-only is mounted anew, which only goes without the server.
    pub fn heal(&self, server: Option<u32>) {
        match self.mounted {
            Some(Manner::ReadOnly) => {
                unmount(&self.path());
                assert!(self.mount(Manner::ReadOnly));
            }
            Some(_) => fs::remove_file(self.path().join(FILLER)).unwrap(),
            None => server.into_iter().for_each(|server| limit(server, "unlimited")),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted.is_some() {
            unmount(&self.path());
        }
    }
}

fn limit(process: u32, bytes: &str) {
    let (process, bytes) = (process.to_string(), format!("--fsize={bytes}:unlimited"));
    assert!(did(Command::new("prlimit").args(["--pid", &process, &bytes])));
}

fn unmount(path: &Path) {
    did(Command::new("umount").arg("-l").arg(path));
}

fn did(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
