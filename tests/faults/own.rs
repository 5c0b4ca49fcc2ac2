//! A PostgreSQL of a story's own, that it may break.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Child;

use receiver::Authority;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};

use world::World;
use world::cluster::{self, Cluster};
use world::faketime;

const SETTINGS: &str = "fsync = off\nlisten_addresses = ''";

/// It ends with this value, however the process ends.
pub(crate) struct Own {
    cluster: Cluster,
    _watchdog: Child,
}

impl Own {
    /// None: there are no server binaries on this machine.
    pub(crate) fn start() -> Option<Self> {
        let own = Self::empty()?;
        own.cluster.start(SETTINGS);
        Some(own)
    }

    /// One that is told the time by the file that is answered.
    pub(crate) fn start_with_a_clock() -> Option<(Self, PathBuf)> {
        let (library, mut own) = (faketime::library()?, Self::empty()?);
        let clock = own.cluster.keep("clock", "+0");
        own.cluster.set_environment(faketime::environment(&library, &clock));
        own.cluster.start(SETTINGS);
        Some((own, clock))
    }

    /// One that listens on this machine's addresses too, and takes nobody there but by TLS.
    pub(crate) fn start_with_tls(authority: &Authority) -> Option<(Self, u16)> {
        let own = Self::empty()?;
        let (certificate, key) = authority.identity(&["localhost", "127.0.0.1", "::1"]);
        let [certificate, key] = [("server.pem", certificate), ("server.key", key)]
            .map(|(name, text)| own.cluster.keep(name, &text).display().to_string());
        let hba = own.cluster.keep("hba.conf", "local all all trust\nhostssl all all all trust\n");
        let port = TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port();
        own.cluster.start(&format!(
            "fsync = off\nlisten_addresses = '127.0.0.1, ::1'\nport = {port}\nssl = on\n\
             ssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\nhba_file = '{}'",
            hba.display()
        ));
        Some((own, port))
    }

    /// One that follows this one.
    pub(crate) fn standby(&self) -> Self {
        let standby = Self::empty().unwrap();
        standby.cluster.follow(&self.cluster);
        standby
    }

    pub(crate) fn promote(&self) {
        self.cluster.promote();
    }

    fn empty() -> Option<Self> {
        let cluster = Cluster::create(cluster::newest_binaries()?);
        let watchdog = cluster.watch();
        Some(Self { cluster, _watchdog: watchdog })
    }

    pub(crate) fn url(&self) -> String {
        self.cluster.url().into()
    }

    /// Stops it: nothing is finished, nobody is told.
    pub(crate) fn crash(&self) {
        cluster::run(&mut self.cluster.stop_at_once());
    }

    pub(crate) fn recover(&self) {
        self.cluster.start_again();
    }

    /// The same, but no file of it may grow beyond so many bytes.
    pub(crate) fn recover_confined(&self, bytes: u64) {
        self.cluster.start_confined(bytes);
    }

    /// The folder with its data.
    pub(crate) fn files(&self) -> PathBuf {
        let url = self.cluster.url();
        let (_, folder) = url.query_pairs().find(|(name, _)| name == "host").unwrap();
        PathBuf::from(&*folder).join("data")
    }
}

/// A connection beside the server's: that of an operator, or of whoever gets in its way.
pub(crate) async fn beside(world: &World) -> DatabaseConnection {
    let mut options = ConnectOptions::new(world.database_url());
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

/// Ends all connections to the database but this one.
pub(crate) async fn cut(beside: &DatabaseConnection) {
    let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    beside.execute_unprepared(all).await.unwrap();
}

/// Says whether sessions that begin from now on may write. Those that there are go on as they were, and the one
/// that says so may write all the same.
pub(crate) async fn set_read_only(beside: &DatabaseConnection, is_read_only: bool) {
    let set = format!(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {is_read_only}',
         current_database()); END $$"
    );
    for statement in ["SET default_transaction_read_only = off", &set] {
        beside.execute_unprepared(statement).await.unwrap();
    }
}
