//! Which failures of the database pass by themselves, and what to do until then.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use sea_orm::sqlx;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{DbErr, RuntimeErr};

use crate::error::{Error, Result};

/// Why a connection is not used: the server only follows another one.
#[derive(Debug, thiserror::Error)]
#[error("the server is in recovery: it follows another one, or has not become the primary yet")]
pub(super) struct InRecovery;

/// How often a transaction is tried that others get in the way of, and the longest pause after the
/// first try; it doubles with each.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// What PostgreSQL says to a transaction that got into the way of another: a serialization failure,
/// a deadlock. Nothing of it was done.
const CONFLICTS: [&str; 2] = ["40001", "40P01"];

/// What PostgreSQL says while it starts, stops or has no room for one more connection.
const AWAY: [&str; 5] = ["57P01", "57P02", "57P03", "57P05", "53300"];

/// What PostgreSQL says to a transaction that would write where nothing may be written: on a standby, say.
const READ_ONLY: &str = "25006";

/// How the codes begin with which PostgreSQL refuses what is written: a read-only transaction, no
/// disk or memory left, an error of the system, an internal one.
const POSTGRES_TAKES_NOTHING: [&str; 5] = [READ_ONLY, "531", "532", "58", "XX"];

/// How the driver tells of what is no answer to whether a connection may be encrypted: none at all, an error.
const NO_SERVER: [&str; 2] = ["SSLRequest: 0x00", "SSLRequest: 0x45"];

/// SQLite's codes for the same: held by another process, read-only, an error of the disk, damage, full,
/// not to be opened.
const SQLITE_TAKES_NOTHING: [u32; 6] = [5, 8, 10, 11, 13, 14];

/// Does `work`, a transaction, and does it again when the database gave it up because of another
/// one. On distributed databases that is usual, and nobody has to hear of it.
pub async fn despite_conflicts<T, W>(work: impl Fn() -> W) -> Result<T>
where
    W: Future<Output = Result<T>>,
{
    let mut tries = Tries::default();
    loop {
        match work().await {
            Err(error) if tries.again(&error).await => {}
            ended => return ended,
        }
    }
}

/// How often a transaction was tried.
#[derive(Debug, Default)]
pub struct Tries(u32);

impl Tries {
    /// Whether to try again, after a pause that is over when it answers.
    pub async fn again(&mut self, error: &Error) -> bool {
        let is_worth_it = is_conflict(error) && self.0 < TRIES - 1;
        if is_worth_it {
            // Those who met once would meet again if they waited equally long.
            let most = PAUSE * (1 << self.0);
            tokio::time::sleep(most.mul_f64(rand::random())).await;
            self.0 += 1;
        }
        is_worth_it
    }
}

/// Whether the database gave a transaction up because of another one, so that trying again helps: nothing of
/// it was done, even if that is said of its commit.
fn is_conflict(error: &Error) -> bool {
    let (Error::Internal(error) | Error::Unknown(error)) = error else { return false };
    told_by_database(error).is_some_and(|error| is_one_of(error, &CONFLICTS))
}

/// Whether the database cannot be reached at the moment, so that waiting helps.
pub fn is_away(error: &anyhow::Error) -> bool {
    let Some(error) = told_by_database(error) else { return false };
    let is_unreached = cause(error).is_some_and(is_unreached);
    is_unreached
        || matches!(error, DbErr::ConnectionAcquire(_))
        || is_one_of(error, &AWAY)
        || is_read_only(error)
}

/// Whether there was nobody who could have taken a connection.
fn is_unreached(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut => true,
        // That a certificate is not trusted stays as it is.
        sqlx::Error::Io(error) => !is_about_encryption(error),
        sqlx::Error::Configuration(cause) => cause.is::<InRecovery>(),
        // A proxy that has no server behind it hangs up, and a server that has no memory left complains.
        sqlx::Error::Protocol(text) => NO_SERVER.iter().any(|answer| text.contains(answer)),
        _ => false,
    }
}

fn is_about_encryption(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>)
}

/// Whether the certificate of the server is not trusted.
pub(super) fn is_uncertified(error: &DbErr) -> bool {
    let Some(sqlx::Error::Io(error)) = cause(error) else { return false };
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// Whether the database refuses whatever would be written, because of what it is at the moment.
pub(super) fn is_read_only(error: &DbErr) -> bool {
    is_one_of(error, &[READ_ONLY])
}

/// Whether the database may answer, but takes nothing: its disk is full or fails, it is read-only, or
/// somebody holds it.
pub(super) fn takes_nothing(error: &DbErr) -> bool {
    if matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(RuntimeErr::Internal(_))) {
        return true;
    }
    let Some(sqlx::Error::Database(error)) = cause(error) else { return false };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // The lowest byte of an extended code is the code.
        return code.parse::<u32>().is_ok_and(|code| SQLITE_TAKES_NOTHING.contains(&(code & 0xff)));
    }
    POSTGRES_TAKES_NOTHING.iter().any(|class| code.starts_with(class))
}

/// Whether the role may not do it.
pub(super) fn is_forbidden(error: &DbErr) -> bool {
    is_one_of(error, &["42501"])
}

/// Whether there is no table of this name.
pub(super) fn is_missing(error: &DbErr) -> bool {
    let Some(sqlx::Error::Database(told)) = cause(error) else { return false };
    let is_sqlite = told.try_downcast_ref::<SqliteError>().is_some();
    if is_sqlite { told.message().starts_with("no such table") } else { is_one_of(error, &["42P01"]) }
}

/// Whether the database answered, by a refusal.
pub(super) fn is_refusal(error: &DbErr) -> bool {
    matches!(cause(error), Some(sqlx::Error::Database(_)))
}

/// Whether the database answered with one of these codes.
fn is_one_of(error: &DbErr, codes: &[&str]) -> bool {
    let Some(sqlx::Error::Database(error)) = cause(error) else { return false };
    error.code().is_some_and(|code| codes.contains(&code.as_ref()))
}

fn told_by_database(error: &anyhow::Error) -> Option<&DbErr> {
    match error.downcast_ref() {
        Some(Error::Internal(error)) => error.downcast_ref(),
        _ => error.downcast_ref(),
    }
}

fn cause(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => Some(cause),
        _ => None,
    }
}
