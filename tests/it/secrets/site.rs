//! The real program on a database of its own, run and listened to.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use receiver::Receiver;
use reprise::db::Db;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::ISSUED;
use crate::world::{Api, On, authority, install_crypto, postgres};

/// A database with what the program needs beside it, and no server.
pub struct Site {
    pub folder: TempDir,
    url: String,
    pub receiver: Receiver,
    /// What the environment says besides.
    environment: Vec<(&'static str, String)>,
    _database: Option<postgres::Database>,
}

impl Site {
    pub async fn new(on: On) -> Option<Self> {
        install_crypto();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), authority().pem()).unwrap();
        let (url, database) = match on {
            On::Sqlite => (format!("sqlite://{}", folder.path().join("reprise.db").display()), None),
            On::Postgres => {
                let database = postgres::server().await?.database().await;
                (database.url.replace("postgres@", "postgres:thePasswordOfTheDatabase@"), Some(database))
            }
        };
        let receiver = Receiver::start(authority()).await.unwrap();
        Some(Self { folder, url, receiver, environment: Vec::new(), _database: database })
    }

    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.retain(|(other, _)| *other != name);
        self.environment.push((name, value.into()));
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reprise"));
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

    pub async fn serve(&self) -> Server {
        let mut child =
            self.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut stdout = child.stdout.take().unwrap();
        let stdout = Some(thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        }));
        let mut server = Server { child, lines, log: Vec::new(), stdout, url: String::new() };
        let line = server.hear("listening").await;
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap();
        server.url = format!("http://{address}/graphql");
        server
    }

    /// Keys for TEST and LIVE, made on the command line.
    pub fn make_keys(&self) -> [String; 2] {
        let output = self.run(&["organizations", "create", "Customers", "--json"]);
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        [0, 1].map(|row| made[row]["key"].as_str().unwrap_or_else(|| panic!("{output:?}")).to_owned())
    }

    /// All that is in the database, and in files beside it but for the key.
    pub async fn remains(&self) -> Vec<u8> {
        let mut remains = Vec::new();
        for file in fs::read_dir(self.folder.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "key") {
                remains.extend(fs::read(path).unwrap());
            }
        }
        if self.url.starts_with("postgres") {
            let db = Db::open(&self.url).await.unwrap();
            let tables = "SELECT tablename::text AS it FROM pg_tables WHERE schemaname = 'public'";
            for table in rows(&db, tables).await {
                remains.extend(
                    rows(&db, &format!("SELECT t::text AS it FROM {table} t")).await.concat().into_bytes(),
                );
            }
            db.close().await.unwrap();
        }
        remains
    }
}

async fn rows(db: &Db, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.reader().get_database_backend(), sql);
    let rows = db.reader().query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "it").unwrap()).collect()
}

/// The program, running as a server.
pub struct Server {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    log: Vec<String>,
    stdout: Option<thread::JoinHandle<String>>,
    url: String,
}

impl Server {
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

    pub fn api(&self, key: &str) -> Api {
        Api::new(&self.url, key)
    }

    /// Ends it as a signal does, and answers all that it said: log and standard output.
    pub async fn stop(mut self) -> (String, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
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

/// A target of this receiver that is active.
pub async fn active_target(api: &Api, receiver: &Receiver, path: &str) -> String {
    let input = json!({ "name": "A target", "uri": receiver.uri(path), "subscriptions": [ISSUED], "email": "owner@example.com" });
    let target = api.target("addWebhookNotificationTarget", input).await["id"].as_str().unwrap().to_owned();
    while api.status(&target).await != "ACTIVE" {
        tokio::task::yield_now().await;
    }
    target
}
