//! A whole server on a free port with a database, a clock moved by hand and an
//! HTTPS receiver whose certificate it trusts.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "it serves stories, which fail by a panic, and its names are to say enough"
)]

pub mod api;
pub mod cluster;
pub mod faketime;
pub mod frames;
pub mod graph;
pub mod mailbox;
pub mod names;
pub mod nginx;
pub mod postgres;
pub mod program;
pub mod small_disk;

use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use entity::{ApiKeyKind, Environment, Timestamp};
use receiver::{Authority, Receiver};
use reprise::app::{App, Settings};
use reprise::clock::{Clock, ManualClock};
use reprise::db::Db;
use reprise::delivery::Engine;
use reprise::quota::limits::{Timeouts, Waits};
use reprise::rules::credential;
use reprise::store::claims::{self, Demand};
use reprise::store::{Scope, api_keys, organizations};
use reprise::vault::{self, Vault};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use api::Api;

/// Where the clock of every story starts.
pub const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Longer than any story takes: what ends by real time does so only where a story is about that.
pub const LONG: Duration = Duration::from_secs(600);

/// The database that a story runs on.
#[derive(Debug, Clone, Copy)]
pub enum On {
    Sqlite,
    Postgres,
}

/// A server and what surrounds it.
pub struct World {
    pub app: App,
    pub clock: ManualClock,
    pub receiver: Receiver,
    /// The first organization's keys of whoever runs the server.
    pub test: Api,
    pub live: Api,
    engine: Option<Engine>,
    place: Arc<Place>,
    settings: Settings,
    _server: DropGuard,
}

/// What outlives a restart of the server.
struct Place {
    url: String,
    folder: TempDir,
    _database: Option<postgres::Database>,
}

impl World {
    /// A world with the contract's settings. None: there is no such database on this machine.
    pub async fn on(on: On) -> Option<Self> {
        Self::with(on, |_| {}).await
    }

    /// A world with settings of its own.
    pub async fn with(on: On, change: impl FnOnce(&mut Settings)) -> Option<Self> {
        Some(Self::begin(Place::new(on).await?, change).await)
    }

    /// A world on a database of the story's own, with settings of its own.
    pub async fn at(url: &str, change: impl FnOnce(&mut Settings)) -> Self {
        Self::begin(Place::at(folder(), url.to_owned(), None), change).await
    }

    async fn begin(place: Place, change: impl FnOnce(&mut Settings)) -> Self {
        install_crypto();
        let mut settings = settings(&place);
        change(&mut settings);
        let receiver = Receiver::start(authority()).await.unwrap();
        Self::start(Arc::new(place), settings, ManualClock::at(START), receiver, None).await
    }

    /// Stops the server as a signal would, and starts another on the same database.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn restart_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut world = self.without_engine().await;
        change(&mut world.settings);
        let keys = (world.test.key().to_owned(), world.live.key().to_owned());
        Self::start(world.place, world.settings, world.clock, world.receiver, Some(keys)).await
    }

    /// The engine of another server on the same database.
    pub async fn replica(&self) -> Engine {
        let db = Db::open(&self.place.url).await.unwrap();
        let vault = Vault::new(&[7; 32]);
        Engine::start(App::new(db, Clock::by_hand(&self.clock), vault, self.settings.clone()).unwrap())
    }

    /// The API of another server on the same database.
    pub async fn second_api(&self) -> Api {
        let (db, clock) = (Db::open(&self.place.url).await.unwrap(), Clock::by_hand(&self.clock));
        let app = App::new(db, clock, Vault::new(&[7; 32]), self.settings.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/graphql", listener.local_addr().unwrap());
        tokio::spawn(reprise::server::serve(app, listener, CancellationToken::new()));
        Api::new(&url, self.test.key())
    }

    /// Stops the delivery engine, but not the API.
    pub async fn without_engine(mut self) -> Self {
        if let Some(engine) = self.engine.take() {
            engine.stop(Duration::from_secs(5)).await;
        }
        self
    }

    /// Claims what is due for a target, as a worker does that dies then. Answers its lease.
    pub async fn claim_and_die(&self, target: &str) -> Duration {
        let room = Demand { target: target.parse().unwrap(), size: 10, since: Timestamp::default() };
        let (now, lease) = (self.app.now(), self.app.settings.lease);
        let tx = self.app.db.begin().await.unwrap();
        let claimed = claims::claim(&tx, &[room], now, now + lease).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!claimed.is_empty());
        lease
    }

    async fn start(
        place: Arc<Place>,
        settings: Settings,
        clock: ManualClock,
        receiver: Receiver,
        keys: Option<(String, String)>,
    ) -> Self {
        let db = Db::open(&place.url).await.unwrap();
        let app = App::new(db, Clock::by_hand(&clock), Vault::new(&[7; 32]), settings.clone()).unwrap();
        let (test, live) = match keys {
            Some(keys) => keys,
            None => first_keys(&app).await,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/graphql", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        tokio::spawn(reprise::server::serve(app.clone(), listener, shutdown.clone()));
        let engine = Some(Engine::start(app.clone()));
        let (test, live) = (Api::new(&url, &test), Api::new(&url, &live));
        Self { app, clock, receiver, test, live, engine, place, settings, _server: shutdown.drop_guard() }
    }

    /// Everything that is due happens now.
    pub async fn settle(&self) {
        self.engine.as_ref().unwrap().run_until_idle().await.unwrap();
    }

    /// The same; but if a fault comes in between, it is tried again.
    pub async fn settle_despite_faults(&self) {
        while self.engine.as_ref().unwrap().run_until_idle().await.is_err() {}
    }

    /// Time passes, and what is due then happens.
    pub async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.settle().await;
    }

    /// A target of this path that is active and subscribed to these names.
    pub async fn active_target(&self, api: &Api, path: &str, names: &[&str]) -> String {
        let id = api.add_target(&self.receiver.uri(path), names).await;
        self.settle().await;
        assert_eq!(api.status(&id).await, "ACTIVE");
        id
    }

    /// The same, without waiting for others that are in flight.
    pub async fn active_target_while_busy(&self, api: &Api, path: &str, names: &[&str]) -> String {
        let id = api.add_target(&self.receiver.uri(path), names).await;
        while api.status(&id).await != "ACTIVE" {
            tokio::task::yield_now().await;
        }
        id
    }

    /// Where the database is.
    pub fn database_url(&self) -> &str {
        &self.place.url
    }

    /// A new organization with INTEGRATOR keys for TEST and LIVE.
    pub async fn stranger(&self) -> (Api, Api) {
        let made = self
            .test
            .ok(
                r#"mutation { createOrganization(input: {displayName: "Strangers"}) {
                    ... on CreatedOrganization { testKey { key } liveKey { key } } } }"#,
                serde_json::json!({}),
            )
            .await;
        let key = |name: &str| made["createOrganization"][name]["key"].as_str().unwrap().to_owned();
        (self.test.with_key(&key("testKey")), self.test.with_key(&key("liveKey")))
    }
}

impl Place {
    async fn new(on: On) -> Option<Self> {
        let folder = folder();
        let (url, database) = match on {
            On::Sqlite => (format!("sqlite://{}", folder.path().join("reprise.db").display()), None),
            On::Postgres => {
                let database = postgres::server().await?.database().await;
                (database.url.clone(), Some(database))
            }
        };
        Some(Self::at(folder, url, database))
    }

    fn at(folder: TempDir, url: String, database: Option<postgres::Database>) -> Self {
        std::fs::write(folder.path().join("ca.pem"), authority().pem()).unwrap();
        Self { url, folder, _database: database }
    }
}

/// In memory where there is such a place: stories test what is written, not the disk.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// The contract's settings, but for what keeps a story from being exact or local.
fn settings(place: &Place) -> Settings {
    let mut settings = Settings::default();
    settings.schedules.live.jitter = 0.0;
    settings.schedules.test.jitter = 0.0;
    settings.outbound.uris.private = true;
    settings.outbound.extra_ca = Some(place.folder.path().join("ca.pem"));
    settings.look_interval = Duration::from_secs(3_600);
    settings.maintenance_interval = Duration::from_secs(3_600);
    settings.pause = Duration::from_millis(10);
    // What a story holds back, or a slow machine is slow about, runs into no deadline.
    settings.outbound.deadline = LONG;
    settings.limits.timeouts = Timeouts { header: LONG, body: LONG, idle: LONG, write: LONG };
    settings.limits.waits = Waits { request: LONG, taking: LONG, recording: LONG };
    // The clock stands still, so no window of them would ever end.
    settings.limits.api = None;
    settings.limits.publishing = None;
    settings.limits.failed_logins = None;
    settings
}

/// For stories about a database that does not answer: callers wait for it no longer than they do by default.
pub fn impatient(settings: &mut Settings) {
    settings.limits.waits = Waits::default();
}

/// The certificate authority of all receivers.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(Authority::new)
}

/// What TLS needs, once a process.
pub fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// Makes an organization and its two PLATFORM keys, as the command line does.
async fn first_keys(app: &App) -> (String, String) {
    let tx = app.db.begin().await.unwrap();
    let organization = organizations::add(&tx, "First", app.now()).await.unwrap();
    let mut keys = Vec::new();
    for environment in [Environment::Test, Environment::Live] {
        let key = credential::key(environment, vault::random());
        let scope = Scope { organization: organization.id.clone(), environment };
        let new = api_keys::NewKey {
            kind: ApiKeyKind::Platform,
            name: "first",
            hash: credential::hash(&key),
            redacted: credential::redact(&key),
        };
        api_keys::add(&tx, &scope, new, app.now()).await.unwrap();
        keys.push(key);
    }
    tx.commit().await.unwrap();
    (keys.remove(0), keys.remove(0))
}
