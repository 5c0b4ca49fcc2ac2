//! A PostgreSQL cluster of our own: made from the newest binaries on this machine,
//! in a temporary folder, on a Unix socket, as a user without rights.
//!
//! However the process ends, a watchdog then stops the server and removes the folder.

use std::env;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use url::Url;

/// A folder with one cluster's files, socket and log.
pub struct Cluster {
    binaries: PathBuf,
    folder: PathBuf,
    /// PostgreSQL refuses root; these words before a command run it as somebody else.
    demotion: Vec<String>,
    /// What the environment of its programs says besides. They hear it as that user.
    environment: Vec<(&'static str, String)>,
}

impl Cluster {
    /// A folder for a cluster of these binaries.
    pub fn create(binaries: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("reprise-postgres-").tempdir();
        // The watchdog removes it: it knows when the server has stopped.
        let folder = folder.expect("there is room for a folder").keep();
        let is_root = fs::metadata(&folder).expect("the folder was just made").uid() == 0;
        let demotion = if is_root { demotion(&folder) } else { Vec::new() };
        Self { binaries, folder, demotion, environment: Vec::new() }
    }

    /// Lets the environment of its programs say this besides.
    #[allow(dead_code, reason = "only the stories of clocks say something")]
    pub fn set_environment(&mut self, variables: impl IntoIterator<Item = (&'static str, String)>) {
        self.environment.extend(variables);
    }

    /// Fills the folder, and starts the server with these settings.
    pub fn start(&self, settings: &str) {
        run(self.command("initdb").args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]));
        self.set(&format!("{settings}\nunix_socket_directories = '{}'", self.folder.display()));
        self.start_again();
    }

    /// Writes a file that only the server can read.
    pub fn keep(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.join(name);
        let mut write = self.as_user("sh");
        run(write.args(["-c", r#"umask 077; printf %s "$0" >"$1""#]).arg(text).arg(&file));
        file
    }

    /// Adds settings, which win over those before.
    fn set(&self, settings: &str) {
        let settings_of_all = self.files().join("postgresql.conf");
        let mut file =
            OpenOptions::new().append(true).open(settings_of_all).expect("initdb wrote the settings");
        writeln!(file, "{settings}").expect("there is room for some settings");
    }

    /// Starts the server on a folder that is filled, and waits until it accepts connections.
    pub fn start_again(&self) {
        run(self.command("pg_ctl").arg("-l").arg(self.folder.join("log")).args(["-w", "start"]));
    }

    /// Becomes a standby: takes what the primary has, starts, and gets what it writes from then on.
    pub fn follow(&self, primary: &Self) {
        fs::remove_dir_all(self.files()).ok();
        let source = primary.folder.display();
        run(self
            .command("pg_basebackup")
            .args(["-U", "postgres", "-c", "fast", "-R", "-N"])
            .arg("-h")
            .arg(&primary.folder));
        let settings = format!("primary_conninfo = 'host={source} user=postgres'\n");
        fs::write(self.files().join("postgresql.auto.conf"), settings).expect("the file was just copied");
        self.set(&format!("unix_socket_directories = '{}'", self.folder.display()));
        self.start_again();
    }

    /// Makes a standby the primary, and waits until it is.
    pub fn promote(&self) {
        run(self.command("pg_ctl").args(["-w", "promote"]));
    }

    /// Where the socket is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same, but no file of it may grow beyond so many bytes.
    pub fn start_confined(&self, bytes: u64) {
        let mut start = self.command("pg_ctl");
        start.arg("-l").arg(self.folder.join("log")).args(["-w", "start"]);
        let mut confined = Command::new("sh");
        confined.args(["-c", r#"ulimit -S -f "$0" && exec "$@""#]).arg((bytes / 512).to_string());
        run(confined.arg(start.get_program()).args(start.get_args()).current_dir(&self.folder));
    }

    /// Started before the server, so that there is never a server without it.
    pub fn watch(&self) -> Child {
        let stop = self.stop_at_once();
        watchdog(r#"cat; "$@"; rm -rf "$0""#)
            .arg(&self.folder)
            .arg(stop.get_program())
            .args(stop.get_args())
            .spawn()
            .expect("there is a shell")
    }

    /// Stops the server as a crash would.
    pub fn stop_at_once(&self) -> Command {
        let mut stop = self.command("pg_ctl");
        stop.args(["-m", "immediate", "stop"]);
        stop
    }

    /// The server's first process.
    pub fn pid(&self) -> Option<u32> {
        let file = fs::read_to_string(self.files().join("postmaster.pid")).ok()?;
        file.lines().next()?.parse().ok()
    }

    /// The database that every cluster has.
    pub fn url(&self) -> Url {
        let url = format!("postgres://postgres@localhost/postgres?host={}", self.folder.display());
        Url::parse(&url).expect("a path fits in a query")
    }

    fn command(&self, binary: &str) -> Command {
        let mut command = self.as_user(self.binaries.join(binary));
        command.arg("-D").arg(self.files());
        command
    }

    fn as_user(&self, program: impl Into<OsString>) -> Command {
        let environment = (!self.environment.is_empty()).then(|| "env".to_owned()).into_iter();
        let environment =
            environment.chain(self.environment.iter().map(|(name, value)| format!("{name}={value}")));
        let words = self.demotion.iter().cloned().chain(environment);
        let mut words = words.map(Into::into).chain([program.into()]);
        let mut command = Command::new(words.next().expect("the program at least"));
        command.args(words).current_dir(&self.folder);
        command
    }

    fn files(&self) -> PathBuf {
        self.folder.join("data")
    }
}

/// Gives the folder to a user without rights, and says how to become that user.
fn demotion(folder: &Path) -> Vec<String> {
    let is_known = |user: &&str| Command::new("id").arg(user).output().is_ok_and(|id| id.status.success());
    let user = ["postgres", "nobody"].into_iter().find(is_known).expect("every system has nobody");
    let group = run(Command::new("id").args(["-g", user]));
    let group = group.trim();
    run(Command::new("chown").arg(format!("{user}:{group}")).arg(folder));
    ["setpriv", "--reuid", user, "--regid", group, "--clear-groups"].map(str::to_owned).into()
}

/// What a program writes. It must succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Where the newest server binaries of this machine are.
pub fn newest_binaries() -> Option<PathBuf> {
    let mut packaged: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .collect();
    packaged.sort_unstable_by(|a, b| b.cmp(a));
    let packaged = packaged.iter().map(|version| format!("/usr/lib/postgresql/{version}/bin").into());
    let local = ["/usr/local/pgsql/bin".into()];
    let path = env::var_os("PATH").unwrap_or_default();
    packaged
        .chain(local)
        .chain(env::split_paths(&path))
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// A shell whose `cat` returns when this process has ended, even by `kill -9`.
///
/// In a process group of its own, so that Ctrl-C does not end it first.
pub fn watchdog(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}
