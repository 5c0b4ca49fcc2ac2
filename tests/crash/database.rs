//! What the servers of a run share, and how it breaks.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::faults::Kind;
use crate::pair::{Manner, Pair};
use crate::postgres::Postgres;
use world::small_disk::Disk;

/// What the servers share.
pub(crate) enum Database {
    /// A file for one server, on a disk that can be full.
    Sqlite(Disk),
    /// A PostgreSQL that crashes and recovers.
    Postgres(Postgres),
    /// A primary whose standby takes over.
    Pair(Pair),
}

/// One way to break it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Break {
    /// How long PostgreSQL is away.
    pub away: Duration,
    /// How the relay follows the primary.
    pub manner: Manner,
}

impl Database {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
            Self::Pair(_) => "PostgreSQL with a standby",
        }
    }

    /// How many servers share it.
    pub(crate) fn servers(&self) -> usize {
        if matches!(self, Self::Sqlite(_)) { 1 } else { 3 }
    }

    /// What is broken within ten times, in any order: often one server, now and then the database or what
    /// leads to it. With a standby it is always the primary.
    pub(crate) fn mixture(&self) -> [Kind; 10] {
        use Kind::{Cut as C, Database as D, Disk as F, Hold as H, Kill as K};
        match self {
            Self::Sqlite(_) => [F, F, K, K, K, K, K, K, K, K],
            Self::Postgres(_) => [C, C, D, D, H, H, K, K, K, K],
            Self::Pair(_) => [D; 10],
        }
    }

    /// The URL of a new database for a round.
    pub(crate) async fn url(&self, round: usize) -> String {
        match self {
            Self::Sqlite(disk) => disk.url(),
            Self::Postgres(postgres) => postgres.database(round).await,
            Self::Pair(pair) => pair.database(round).await,
        }
    }

    /// The round was judged.
    pub(crate) async fn forget(&self, round: usize) {
        match self {
            Self::Sqlite(disk) => files(disk).for_each(|file| fs::remove_file(file).unwrap()),
            Self::Postgres(postgres) => postgres.forget(round).await,
            Self::Pair(pair) => pair.forget(round).await,
        }
    }

    /// Keeps what would be gone with the disk, for whoever looks for the reason.
    pub(crate) fn keep(&self, folder: &Path) {
        let Self::Sqlite(disk) = self else { return };
        for file in files(disk) {
            fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
    }

    /// Nothing is finished, nobody is told.
    pub(crate) fn crash(&self, how: Break) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(postgres) => postgres.crash(),
            Self::Pair(pair) => pair.crash(how.manner),
        }
    }

    /// It is there again. Answers since when.
    pub(crate) async fn recover(&self, how: Break) -> Instant {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(postgres) => {
                sleep(how.away).await;
                postgres.recover();
            }
            Self::Pair(pair) => return pair.take_over(how.manner).await,
        }
        Instant::now()
    }

    /// Waits until it may be broken again.
    pub(crate) async fn heal(&self) {
        if let Self::Pair(pair) = self {
            pair.wait_for_both().await;
        }
    }
}

/// The database and what stands beside it.
fn files(disk: &Disk) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file())
}
