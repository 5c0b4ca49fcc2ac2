//! What the whole process shares: the database, the clock, the HTTP client, the
//! mail server, the bell that wakes the delivery engine, and the settings.

pub mod bell;
pub mod caller;
pub mod http;
pub mod publisher;
pub mod settings;
pub mod smtp;

use std::sync::Arc;

use anyhow::Context;
use entity::Timestamp;

use crate::clock::Clock;
use crate::db::Db;
use crate::rules::page::Cursors;
use crate::vault::Vault;

pub use bell::Bell;
pub use caller::Caller;
pub use http::HttpClient;
pub use publisher::Publisher;
pub use settings::Settings;
pub use smtp::MailServer;

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
    /// Posts notifications.
    pub http: HttpClient,
    /// Sends mails, if a server was configured.
    pub mail: Option<MailServer>,
    /// Wakes the delivery engine.
    pub bell: Bell,
    /// Records published events, many calls in one transaction.
    pub publisher: Publisher,
    /// Intervals, limits and switches.
    pub settings: Settings,
}

impl App {
    /// Puts the parts together around an open database.
    ///
    /// # Errors
    /// When an extra certificate authority or the mail server's address cannot be read.
    pub fn new(db: Db, clock: Clock, vault: Vault, settings: Settings) -> anyhow::Result<Self> {
        let bell = Bell::default();
        let http = HttpClient::new(&settings).context("the HTTP client could not be set up")?;
        let mail = settings.smtp.as_ref().map(MailServer::new).transpose()?;
        let publisher = Publisher::start(db.clone(), clock.clone(), bell.clone());
        let cursors = Cursors::new(vault.cursor_key());
        Ok(Self(Arc::new(Shared { db, clock, vault, cursors, http, mail, bell, publisher, settings })))
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
