//! PostgreSQL for the stories: the server that `TEST_DATABASE_URL` names, or one of our own.
//!
//! Our own is started once per test process. However the process ends, a watchdog
//! then removes what it made: the cluster, or its databases.

use std::env;
use std::process::{self, Child};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection};
use tokio::sync::{Mutex, OnceCell};
use url::Url;

use crate::cluster::{Cluster, newest_binaries, watchdog};

static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();

/// The server of this test process; the first that asks starts it.
///
/// None: there is no PostgreSQL on this machine. With `CI=true` that is a failure.
pub async fn server() -> Option<&'static Server> {
    SERVER.get_or_init(Server::find).await.as_ref()
}

/// A running server with a migrated template.
pub struct Server {
    maintenance: Url,
    prefix: String,
    copying: Mutex<()>,
    count: AtomicU32,
    /// Our end of its pipe closes when this process ends, which wakes it.
    _watchdog: Child,
}

/// One story's own database; dropped with this value.
pub struct Database {
    /// Where the story's server connects.
    pub url: String,
    name: String,
    maintenance: Url,
}

impl Server {
    async fn find() -> Option<Self> {
        if let Ok(url) = env::var("TEST_DATABASE_URL") {
            let url = Url::parse(&url).expect("TEST_DATABASE_URL is a postgres:// URL");
            let prefix = prefix();
            return Some(Self::with_template(watch_databases(&url, &prefix), url, prefix).await);
        }
        let Some(binaries) = newest_binaries() else {
            skip();
            return None;
        };
        let cluster = Cluster::create(binaries);
        let watchdog = cluster.watch();
        cluster.start(SETTINGS);
        Some(Self::with_template(watchdog, cluster.url(), prefix()).await)
    }

    async fn with_template(watchdog: Child, maintenance: Url, prefix: String) -> Self {
        let template = format!("{prefix}template");
        execute(&maintenance, &format!("CREATE DATABASE {template}")).await;
        let connection = connect(&with_name(&maintenance, &template)).await;
        Migrator::up(&connection, None).await.expect("the migrations run on an empty database");
        connection.close().await.expect("the template's only connection closes");
        let (copying, count) = (Mutex::new(()), AtomicU32::new(0));
        Self { maintenance, prefix, copying, count, _watchdog: watchdog }
    }

    /// A fresh database with all tables and no rows.
    pub async fn database(&self) -> Database {
        let prefix = &self.prefix;
        let name = format!("{prefix}{}", self.count.fetch_add(1, Ordering::Relaxed));
        // PostgreSQL refuses a template that somebody else uses.
        let _copying = self.copying.lock().await;
        execute(&self.maintenance, &format!("CREATE DATABASE {name} TEMPLATE {prefix}template")).await;
        let url = with_name(&self.maintenance, &name).into();
        Database { url, name, maintenance: self.maintenance.clone() }
    }
}

impl Drop for Database {
    /// Waits for nothing: when the process ends first, the watchdog does it.
    fn drop(&mut self) {
        let maintenance = self.maintenance.clone();
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a thread can have a runtime").block_on(execute(&maintenance, &statement));
        });
    }
}

/// What the names of this process's databases begin with, even on a server that other machines share.
fn prefix() -> String {
    format!("reprise_test_{}_{:x}_", process::id(), rand::random::<u32>())
}

fn with_name(url: &Url, name: &str) -> Url {
    let mut url = url.clone();
    url.set_path(name);
    url
}

async fn execute(url: &Url, statement: &str) {
    let connection = connect(url).await;
    connection.execute_unprepared(statement).await.expect(statement);
    connection.close().await.expect("a connection closes");
}

/// Short-lived, for a connection must not outlive the runtime of its test.
async fn connect(url: &Url) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url.as_str());
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.expect("the server accepts connections")
}

#[expect(clippy::print_stderr, reason = "a skipped half must be seen")]
fn skip() {
    assert!(env::var("CI").as_deref() != Ok("true"), "no PostgreSQL on this machine, and CI=true");
    eprintln!("SKIPPED: the PostgreSQL half of the stories (no server binaries, no TEST_DATABASE_URL)");
}

/// Speed is all: a crash of the machine may lose it.
const SETTINGS: &str = "
    fsync = off
    synchronous_commit = off
    full_page_writes = off
    max_connections = 400
    shared_buffers = 64MB
    listen_addresses = ''
";

/// Drops this process's databases on a server that is not ours, if there is a psql.
fn watch_databases(url: &Url, prefix: &str) -> Child {
    let drops = format!(
        r"SELECT format('DROP DATABASE %I WITH (FORCE)', datname)
          FROM pg_database WHERE starts_with(datname, '{prefix}') \gexec"
    );
    watchdog(r#"cat; echo "$1" | psql "$0""#).arg(url.as_str()).arg(drops).spawn().expect("there is a shell")
}
