//! The server processes: the real binary, started again and again on one database.
//!
//! Each start has a number, which it bears in the `user-agent` of what it sends: so
//! the history knows which process sent what. None outlives the test.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::api::Api;
use world::cluster::{run, watchdog};
use world::small_disk::confined;

/// An attempt that takes longer has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);
/// What a dead server had claimed is left alone for so long.
pub(crate) const LEASE: Duration = Duration::from_secs(6);
/// What the `user-agent` of a server begins with, before its number.
pub(crate) const AGENT: &str = "crash/";

/// So many attempts that only who takes nothing ever runs out of them.
const RETRIES: &str = "attempts=16,first=300ms,factor=1,jitter=0.2";
const START: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(20);

/// What servers wrote to their log above the level of information, and how often.
pub(crate) type Complaints = BTreeMap<String, u64>;

/// Where servers are started.
pub(crate) struct Site {
    binary: PathBuf,
    url: String,
    folder: PathBuf,
    starts: AtomicU32,
    complaints: Arc<Mutex<Complaints>>,
    /// Our end of its pipe closes when this process ends, which wakes it; servers are in its process group.
    watchdog: Child,
}

/// A server process.
pub(crate) struct Server {
    pub number: u32,
    pub address: SocketAddr,
    process: Process,
}

/// `kill -9` when it is dropped, even if it has not said where it listens.
struct Process(Child);

impl Site {
    pub(crate) fn new(binary: &Path, url: &str, folder: &Path, authority: &str) -> Self {
        fs::write(folder.join("ca.pem"), authority).unwrap();
        Self {
            binary: binary.to_owned(),
            url: url.to_owned(),
            folder: folder.to_owned(),
            starts: AtomicU32::new(0),
            complaints: Arc::default(),
            watchdog: watchdog("cat; kill -9 -- -$$").spawn().unwrap(),
        }
    }

    /// Makes an organization, and a key that may publish in LIVE.
    pub(crate) fn first_key(&self) -> Api {
        let made = self.rows(&["organizations", "create", "First", "--json"]);
        let organization = made[0]["organization"].as_str().unwrap();
        let kind = ["--environment", "live", "--kind", "platform", "--name", "crash", "--json"];
        let made = self.rows(&[&["keys", "create", "--organization", organization], &kind[..]].concat());
        Api::new(made[0]["key"].as_str().unwrap())
    }

    /// Starts a server and waits until it listens. None: it has ended instead.
    pub(crate) async fn start(&self) -> Option<Server> {
        let number = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--allow-private-targets"]);
        command.args(["--live-retries", RETRIES, "--target-concurrency", "64", "--look-interval", "250ms"]);
        command.args(["--log-format", "json", "--log", "warn,reprise::cli=info,sqlx_core::pool::inner=off"]);
        command.arg("--extra-ca").arg(self.folder.join("ca.pem"));
        command.arg(format!("--user-agent={AGENT}{number}"));
        command.arg(format!("--deadline={}s", DEADLINE.as_secs()));
        command.arg(format!("--lease={}s", LEASE.as_secs()));
        let mut command = confined(&command);
        let group = self.watchdog.id().cast_signed();
        let piped = command.process_group(group).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process(piped.spawn().unwrap());
        let listening = self.listen_to(process.0.stderr.take().unwrap(), number);
        let address = timeout(START, listening).await.expect("a server starts in time or ends").ok()?;
        Some(Server { number, address, process })
    }

    /// The number of the server that was started last.
    pub(crate) fn last_number(&self) -> u32 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Writes a line between those of the servers.
    pub(crate) fn log(&self, line: &str) {
        writeln!(self.open_log(), "{line}").unwrap();
    }

    fn open_log(&self) -> File {
        OpenOptions::new().create(true).append(true).open(self.folder.join("log")).unwrap()
    }

    pub(crate) fn complaints(&self) -> Complaints {
        self.complaints.lock().unwrap().clone()
    }

    /// Copies the log of a server to the file of all, and waits for it to say where it listens.
    fn listen_to(&self, log: ChildStderr, number: u32) -> oneshot::Receiver<SocketAddr> {
        let (told, heard) = oneshot::channel();
        let (complaints, file) = (self.complaints.clone(), self.open_log());
        thread::spawn(move || copy(log, file, number, &complaints, told));
        heard
    }

    fn rows(&self, words: &[&str]) -> Value {
        serde_json::from_str(&run(&mut self.command(words))).unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).env("DATABASE_URL", &self.url).env("REPRISE_ENCRYPTION_KEY", "07".repeat(32));
        command.current_dir(&self.folder);
        command
    }
}

impl Server {
    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.0.try_wait().unwrap().is_some()
    }

    /// Its number for the operating system.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let (script, pid) = (r#"kill -s "$0" "$1""#, self.process.0.id().to_string());
        run(Command::new("sh").args(["-c", script, name, &pid]));
    }

    /// Ends it as an operator would, and says whether it went well.
    pub(crate) async fn end(mut self) -> bool {
        self.signal("TERM");
        let end = Instant::now() + END;
        while Instant::now() < end {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                return status.success();
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

/// Whether the server that listens there says that it works.
pub(crate) async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: crash\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.ok()?;
        Some(answer)
    };
    timeout(DEADLINE, ask).await.is_ok_and(|answer| answer.as_ref() == Some(b"HTTP/1.1 200"))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn copy(
    log: ChildStderr,
    mut file: File,
    number: u32,
    complaints: &Mutex<Complaints>,
    told: oneshot::Sender<SocketAddr>,
) {
    let mut told = Some(told);
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        writeln!(file, "{number} {line}").ok();
        let entry: Value = serde_json::from_str(&line).unwrap_or(Value::String(line));
        if let Some(address) = entry["address"].as_str() {
            told.take().map(|told| told.send(address.parse().unwrap()));
        } else if entry["level"] != "INFO" {
            *complaints.lock().unwrap().entry(complaint(&entry)).or_default() += 1;
        }
    }
}

/// The text of an entry, short enough to be counted.
fn complaint(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let whole = entry.as_str().map_or_else(
        || format!("{} {}: {}{}", text("level"), text("message"), text("error"), text("panic")),
        str::to_owned,
    );
    whole.chars().take(140).collect()
}
