//! What the whole process shares: the database, the clock, the HTTP client, the
//! mail server, the wakeup that wakes the delivery engine, and the settings.

pub(crate) mod heartbeat;
pub(crate) mod log;
pub(crate) mod notifier;
pub(crate) mod publisher;
pub(crate) mod removal;
pub mod settings;
pub(crate) mod smtp;
pub mod timekeeper;
pub(crate) mod wakeup;

use std::sync::Arc;

use anyhow::Context;
use entity::Timestamp;

use crate::auth::Logins;
use crate::clock::Clock;
use crate::db::Db;
use crate::outbound::{HttpClient, Troubles};
use crate::quota::{Files, Ledger};
use crate::rules::page::Cursors;
use crate::vault::Vault;

pub use heartbeat::Heartbeat;
pub use notifier::Notifier;
pub use publisher::Publisher;
pub use removal::Removal;
pub use settings::Settings;
pub use smtp::MailServer;
pub use wakeup::Wakeup;

/// Everything that requests and workers need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Shared>);

/// The parts of [`App`].
#[derive(Debug)]
pub struct Shared {
    /// The database.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// Seals and opens signing secrets.
    pub vault: Vault,
    /// Makes and reads the cursors of lists.
    pub cursors: Cursors,
    /// How many files connections and lookups may take.
    pub files: Files,
    /// What we lack to reach receivers.
    pub troubles: Troubles,
    /// Posts notifications.
    pub http: HttpClient,
    /// Sends mails, if a server was configured.
    pub mail: Option<MailServer>,
    /// Wakes the delivery engine.
    pub wakeup: Wakeup,
    /// Calls the other replicas.
    pub notifier: Notifier,
    /// Shows that the delivery engine lives.
    pub heartbeat: Heartbeat,
    /// Where events are handed in to be recorded.
    pub publisher: Publisher,
    /// Keeps failed logins cheap.
    pub logins: Logins,
    /// What organizations have used of their rates.
    pub ledger: Arc<Ledger>,
    /// How far the removal of what has expired has come.
    pub removal: Removal,
    /// Intervals, limits and switches.
    pub settings: Settings,
}

impl App {
    /// Puts the parts together around an open database.
    ///
    /// # Errors
    /// When an extra certificate authority or the mail server's address cannot be read.
    pub fn new(db: Db, clock: Clock, vault: Vault, settings: Settings) -> anyhow::Result<Self> {
        let wakeup = Wakeup::default();
        let ledger = Arc::new(Ledger::new(&settings.limits, clock.clone()));
        let files = Files::divide(settings.limits.connections, settings.outbound.concurrency);
        let http =
            HttpClient::new(&settings.outbound, &files).context("the HTTP client could not be set up")?;
        let extra_ca = settings.outbound.extra_ca.as_deref();
        let mail = settings.smtp.as_ref().map(|smtp| MailServer::new(smtp, extra_ca)).transpose()?;
        let notifier = Notifier::start(&db, &wakeup);
        let cursors = Cursors::new(vault.cursor_keys());
        let logins = Logins::start(db.clone(), settings.limits.failed_logins);
        Ok(Self(Arc::new(Shared {
            db,
            clock,
            vault,
            cursors,
            files,
            troubles: Troubles::default(),
            http,
            mail,
            wakeup,
            notifier,
            heartbeat: Heartbeat::default(),
            publisher: Publisher::new(settings.limits.waits),
            logins,
            ledger,
            removal: Removal::default(),
            settings,
        })))
    }

    /// The current time, and what signatures are stamped with: what the clocks of others show at the same
    /// moment.
    pub fn now_and_stamp(&self) -> (Timestamp, Timestamp) {
        self.0.clock.with_stamp()
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
