//! The real program on a database of a story's own: its commands, and servers in processes of their own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use receiver::Receiver;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::{Api, On, authority, install_crypto, postgres};

/// A database with what the program needs beside it, and no server.
pub struct Site {
    pub folder: TempDir,
    pub url: String,
    pub receiver: Receiver,
    /// What the environment says besides.
    environment: Vec<(&'static str, String)>,
    _database: Option<postgres::Database>,
}

/// The program, running as a server.
pub struct Server {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    log: Vec<String>,
    stdout: Option<thread::JoinHandle<String>>,
    url: String,
}

impl Site {
    pub async fn new(on: On) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let (url, database) = match on {
            On::Sqlite => (format!("sqlite://{}", folder.path().join("reprise.db").display()), None),
            On::Postgres => {
                let database = postgres::server().await?.database().await;
                (database.url.replace("postgres@", "postgres:thePasswordOfTheDatabase@"), Some(database))
            }
        };
        Some(Self::with(folder, url, database).await)
    }

    /// Beside a database of the story's own.
    pub async fn at(url: &str) -> Self {
        Self::with(TempDir::new().unwrap(), url.to_owned(), None).await
    }

    async fn with(folder: TempDir, url: String, database: Option<postgres::Database>) -> Self {
        install_crypto();
        fs::write(folder.path().join("ca.pem"), authority().pem()).unwrap();
        let receiver = Receiver::start(authority()).await.unwrap();
        Self { folder, url, receiver, environment: Vec::new(), _database: database }
    }

    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value.into()));
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("DATABASE_URL", &self.url).env("REPRISE_LISTEN", "127.0.0.1:0");
        command.env("REPRISE_EXTRA_CA", "ca.pem").env("REPRISE_ALLOW_PRIVATE_TARGETS", "true");
        command.env("REPRISE_LOOK_INTERVAL", "100ms").env("REPRISE_RATE_LIMIT", "off");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs a command that fails, and answers what it says.
    pub fn complaint(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts a server, and waits until it listens.
    pub async fn serve(&self) -> Server {
        let mut server = self.begin_to_serve();
        server.wait().await;
        server
    }

    /// Starts a server that may not get far.
    pub fn begin_to_serve(&self) -> Server {
        Server::start(self.command(&["serve"]))
    }

    /// Keys for TEST and LIVE, made on the command line.
    pub fn make_keys(&self) -> [String; 2] {
        let output = self.run(&["organizations", "create", "Customers", "--json"]);
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        [0, 1].map(|row| made[row]["key"].as_str().unwrap_or_else(|| panic!("{output:?}")).to_owned())
    }
}

impl Server {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut stdout = child.stdout.take().unwrap();
        let stdout = Some(thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        }));
        Self { child, lines, log: Vec::new(), stdout, url: String::new() }
    }

    /// Waits until it listens.
    pub async fn wait(&mut self) {
        let line = self.hear("listening").await;
        let address = match serde_json::from_str::<Value>(&line) {
            Ok(entry) => entry["address"].as_str().unwrap().to_owned(),
            Err(_) => line.split("address=").nth(1).unwrap().split(' ').next().unwrap().to_owned(),
        };
        self.url = format!("http://{address}/graphql");
    }

    /// Waits for a line of the log.
    pub async fn hear(&mut self, word: &str) -> String {
        loop {
            let Some(line) = self.lines.recv().await else {
                panic!("it ended: {}", self.log.join("\n"));
            };
            self.log.push(line.clone());
            if line.contains(word) {
                return line;
            }
        }
    }

    /// Waits for a line of the log with all these words, unless it was heard before.
    pub async fn heard(&mut self, words: &[&str]) {
        let has_all = |line: &String| words.iter().all(|word| line.contains(word));
        while !self.log.iter().any(has_all) {
            let Some(line) = self.lines.recv().await else {
                panic!("it ended: {}", self.log.join("\n"));
            };
            self.log.push(line);
        }
    }

    /// The next line of a log for programs.
    pub async fn next_entry(&mut self) -> Value {
        let Some(line) = self.lines.recv().await else {
            panic!("it ended: {}", self.log.join("\n"));
        };
        self.log.push(line.clone());
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Waits for the entry with this message and these fields in a log for programs, unless it was heard before.
    pub async fn entry(&mut self, message: &str, fields: &[(&str, &str)]) -> Value {
        let is_it = |entry: &Value| {
            entry["message"] == message && fields.iter().all(|(name, value)| entry[*name] == *value)
        };
        let heard = self.log.iter().filter_map(|line| serde_json::from_str(line).ok());
        if let Some(entry) = heard.into_iter().find(is_it) {
            return entry;
        }
        loop {
            let entry = self.next_entry().await;
            if is_it(&entry) {
                return entry;
            }
        }
    }

    /// Waits until it listens, or has ended; then answers what it said.
    pub async fn listens(&mut self) -> Result<(), String> {
        while let Some(line) = self.lines.recv().await {
            self.log.push(line.clone());
            if let Some(address) = line.split("address=").nth(1).filter(|_| line.contains("listening")) {
                self.url = format!("http://{}/graphql", address.split(' ').next().unwrap());
                return Ok(());
            }
        }
        Err(self.log.join("\n"))
    }

    pub fn api(&self, key: &str) -> Api {
        Api::new(&self.url, key)
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Its number for the operating system.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once: `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for it to end by itself, and answers its exit code and its log.
    pub async fn end(mut self) -> (Option<i32>, String) {
        while let Some(line) = self.lines.recv().await {
            self.log.push(line);
        }
        (self.child.wait().unwrap().code(), self.log.join("\n"))
    }

    /// Ends it as a signal does, and answers all that it said: log and standard output.
    pub async fn stop(mut self) -> (String, String) {
        self.signal("TERM");
        while let Some(line) = self.lines.recv().await {
            self.log.push(line);
        }
        let status = self.child.wait().unwrap();
        let log = self.log.join("\n");
        assert!(status.success(), "{log}");
        (log, self.stdout.take().unwrap().join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
    }
}

/// The program, which cargo puts beside the folder of the tests' own.
fn binary() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("reprise")
}
