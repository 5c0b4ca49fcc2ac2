//! Opens PostgreSQL, and sees to it that connections lead to a server that takes what is written.
//!
//! A database that fails over goes on under the same name at another server. So a connection to a
//! standby is refused when it is made, and when one of them shows that something has happened, none
//! that is as old is used any more. What this module waits for is bounded, a ping too: a server that
//! has vanished says nothing at all.

mod url;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, PgConnection, PgPool, Row};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqlxPostgresConnector};
use tracing::warn;

use crate::db::connection::{Reader, Writing};
use crate::db::trouble::{InRecovery, is_uncertified};
use crate::db::trust::Trust;
use crate::db::{BUSY_TIMEOUT, Db};
use crate::error::report;

/// To read with, and as many to write with.
const CONNECTIONS: u32 = 10;
/// A connection that was idle for as long is asked whether it is still there.
const IDLE: Duration = Duration::from_secs(30);
/// How long an answer to that may take.
const PING: Duration = Duration::from_secs(2);
/// How PostgreSQL is to treat our sessions. A server that stands still must not hold the others up with
/// the locks of its transaction. Every statement finds its rows by an index; for a table that was empty
/// when it was looked at last, or for many rows at once, the planner would rather read all of it.
const SESSION: [(&str, &str); 5] = [
    ("idle_in_transaction_session_timeout", "2000"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];
/// The same for those that write: thousands of values take long to plan for, and change no plan. A
/// page of a long list needs a plan for its values.
const WRITING_SESSION: [(&str, &str); 1] = [("plan_cache_mode", "force_generic_plan")];

/// Opens `postgres://…`, which may be certified by these authorities too, besides the system's.
///
/// The first connection is made for its own sake: a pool would try again for seconds, and then only
/// say that it has none.
pub(super) async fn open(url: &str, authorities: Option<&Path>) -> anyhow::Result<Db> {
    let options = url::read(url, authorities)?;
    let place = place(&options);
    let tried = try_out(&options).await;
    let hint = tried.as_ref().err().map(hint).unwrap_or_default();
    let different = tried.with_context(|| format!("{place} could not be opened{hint}"))?;
    if let Some(settings) = different {
        warn!(
            settings,
            "sessions are not set up as this server asks for: the URL, the role or the database says \
             otherwise, or something in between keeps it back"
        );
    }
    let trust = Trust::in_a_server();
    let writer = pool(CONNECTIONS, &trust, &[&SESSION[..], &WRITING_SESSION].concat());
    let reader = pool(CONNECTIONS, &trust, &SESSION);
    let [writer, reader] = [writer, reader].map(|pool| pool.connect_lazy_with(options.clone()));
    let writing = Writing::trusting(trust);
    let reader = Reader::new(connection(reader), CONNECTIONS, &writing);
    Ok(Db { reader, writer: connection(writer), writing })
}

/// A pool of one connection like those of `pool`, to listen with. Whoever drops a listener waits for the
/// database to hear of it; so what is listened with is no other's.
pub(super) fn listening(pool: &PgPool) -> PgPool {
    let options = (*pool.connect_options()).clone();
    self::pool(1, &Trust::in_a_server(), &[]).max_lifetime(None).idle_timeout(None).connect_lazy_with(options)
}

fn connection(pool: PgPool) -> DatabaseConnection {
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}

/// Names the database, without the credentials.
fn place(options: &PgConnectOptions) -> String {
    let socket = options.get_socket().map(|folder| folder.display().to_string());
    let host = socket.unwrap_or_else(|| options.get_host().to_owned());
    let name = options.get_database().unwrap_or(options.get_username());
    format!("the database {name} at {host}, port {},", options.get_port())
}

/// What to do about it.
fn hint(error: &DbErr) -> &'static str {
    if is_uncertified(error) {
        " (name the authority of its certificate with sslrootcert in the URL or with --extra-ca)"
    } else {
        ""
    }
}

/// Connects once, and answers which settings of a session are not ours in the end.
async fn try_out(options: &PgConnectOptions) -> Result<Option<String>, DbErr> {
    let all = [&SESSION[..], &WRITING_SESSION].concat();
    let ended = tokio::time::timeout(BUSY_TIMEOUT, async {
        let mut connection = PgConnection::connect_with(options).await?;
        set_up(&mut connection, &setting(&all)).await?;
        let different = sqlx::raw_sql(AssertSqlSafe(differing(&all))).fetch_one(&mut connection).await?;
        connection.close().await.ok();
        different.try_get(0)
    });
    let slow = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
    let ended = ended.await.unwrap_or_else(|_| Err(slow().into()));
    ended.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}

fn pool(connections: u32, trust: &Trust, session: &[(&str, &str)]) -> PgPoolOptions {
    let (setting, acquired, released) = (setting(session), trust.clone(), trust.clone());
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let setting = setting.clone();
            Box::pin(async move { set_up(connection, &setting).await.map_err(refused) })
        })
        .before_acquire(move |connection, meta| {
            let trust = acquired.clone();
            Box::pin(async move {
                if !trust.covers(meta.age) {
                    return Ok(false);
                }
                Ok(meta.idle_for < IDLE || trust.is_answered(connection.ping(), PING).await)
            })
        })
        // What was given up half-way is answered only now, and the pool would wait for that without end.
        .after_release(move |connection, meta| {
            let trust = released.clone();
            Box::pin(
                async move { Ok(trust.covers(meta.age) && trust.is_answered(connection.ping(), PING).await) },
            )
        })
}

/// Tells why a new connection is not used. Its pool makes others until nobody waits any more, and does not tell
/// them why they got none.
fn refused(error: sqlx::Error) -> sqlx::Error {
    report("a new connection to the database is not used", &anyhow!("{error}").into());
    error
}

/// Sets up a session that has just begun, unless it is one with a standby.
async fn set_up(connection: &mut PgConnection, setting: &str) -> Result<(), sqlx::Error> {
    let row = sqlx::raw_sql(AssertSqlSafe(setting.to_owned())).fetch_one(connection).await?;
    if row.try_get(0)? { Err(sqlx::Error::Configuration(InRecovery.into())) } else { Ok(()) }
}

/// Asks whether the server is a standby, and sets what nobody else has set: the URL, the role and the
/// database have the last word.
fn setting(session: &[(&str, &str)]) -> String {
    format!(
        "SELECT pg_is_in_recovery(), (SELECT count(set_config(name, wanted, false)) {} WHERE source NOT IN \
         ('client', 'override', 'session', 'user', 'database', 'database user', 'global'))",
        wanted(session)
    )
}

/// Asks which settings are not as wanted.
fn differing(session: &[(&str, &str)]) -> String {
    format!("SELECT string_agg(name || ' = ' || setting, ', ') {} WHERE setting <> wanted", wanted(session))
}

fn wanted(session: &[(&str, &str)]) -> String {
    let rows: Vec<String> = session.iter().map(|(name, wanted)| format!("('{name}', '{wanted}')")).collect();
    let rows = if rows.is_empty() { "('', '')".to_owned() } else { rows.join(", ") };
    format!("FROM (VALUES {rows}) AS session (name, wanted) JOIN pg_settings USING (name)")
}
