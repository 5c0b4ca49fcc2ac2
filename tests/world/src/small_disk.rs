//! File systems of a story's own that fill up, fail and turn read-only, for real.
//!
//! Where nothing may be mounted the story says so on the standard error output, and the server gets
//! a limit on the size of its files instead: its writes fail then, as they do on a disk that fails.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

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
/// How many bytes file systems have that are files themselves.
const SMALL: u64 = 48 << 20;
const LARGE: u64 = 1 << 30;
/// How much of the room is taken by writing.
const MARGIN: u64 = 1 << 20;

impl Disk {
    pub fn new(manner: Manner) -> Self {
        let mut disk = Self::in_folder(TempDir::new().unwrap());
        if manner != Manner::Failing {
            disk.is(manner, disk.mount(manner));
        }
        disk
    }

    /// One with room for more, whose files are on the disk of this folder.
    #[allow(dead_code, reason = "only the crash test needs the room")]
    pub fn large(folder: &Path) -> Self {
        let mut disk = Self::in_folder(TempDir::new_in(folder).unwrap());
        disk.is(Manner::Full, disk.mount_file(LARGE));
        disk
    }

    fn in_folder(folder: TempDir) -> Self {
        let disk = Self { folder, mounted: None };
        fs::create_dir(disk.path()).unwrap();
        disk
    }

    fn is(&mut self, manner: Manner, is_mounted: bool) {
        if is_mounted {
            self.mounted = Some(manner);
        } else {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "NOTHING MAY BE MOUNTED HERE: {manner:?} is shown by a limit on files").unwrap();
        }
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
        self.mount_file(SMALL)
    }

    fn mount_file(&self, bytes: u64) -> bool {
        if !self.image().exists() {
            File::create(self.image()).unwrap().set_len(bytes).unwrap();
            // Nothing is kept for root, who may run the server here.
            if !did(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(self.image())) {
                return false;
            }
        }
        let image = self.image();
        did(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(image).arg(self.path()))
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
        let filler = self.path().join(FILLER);
        // Most of it is taken at once, without writing.
        let free = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(self.path()).output().unwrap();
        let free: Vec<u64> =
            String::from_utf8_lossy(&free.stdout).split_whitespace().map(|n| n.parse().unwrap()).collect();
        did(Command::new("fallocate")
            .arg("-l")
            .arg((free[0] * free[1]).saturating_sub(MARGIN).to_string())
            .arg(&filler));
        let mut filler = File::options().create(true).append(true).open(filler).unwrap();
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

/// How a program has to be started whose files shall be limited: who writes beyond the limit is told so, and not
/// killed.
pub fn confined(plain: &Command) -> Command {
    let mut confined = Command::new("sh");
    confined.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#]).arg(plain.get_program()).args(plain.get_args());
    confined.current_dir(plain.get_current_dir().unwrap_or(Path::new(".")));
    confined.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    confined
}

/// From now on no file that a process writes may have more bytes than this.
pub fn limit(process: u32, bytes: &str) {
    let (process, bytes) = (process.to_string(), format!("--fsize={bytes}:unlimited"));
    assert!(did(Command::new("prlimit").args(["--pid", &process, &bytes])));
}

fn unmount(path: &Path) {
    did(Command::new("umount").arg("-l").arg(path));
}

fn did(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
