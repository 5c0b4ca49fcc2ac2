//! The crash test: the real server is killed, stopped and cut off from its database, or its
//! disk takes nothing more, again and again and under load. At the end what publishers were promised is compared
//! with what receivers got: nothing may be lost, and whatever came twice must have been
//! in flight when something broke.
//!
//! `CRASH_SECONDS=3600 cargo test --test crash` runs the release binary for an hour on each
//! database; without it the debug binary runs for a few seconds. `CRASH_SEED` repeats a run's
//! dice, `CRASH_RATE` sets the load in calls a second, `REPRISE_BINARY` names another binary.
//!
//! A long run is made of rounds, each on a database of its own that is judged and then forgotten:
//! so it can go on for days, in the memory and on the disk that one round needs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a test that fails panics, and is written to be read"
)]

mod analysis;
mod api;
mod checker;
mod database;
mod faults;
mod history;
mod nemesis;
mod observer;
mod pair;
mod plan;
mod postgres;
mod publisher;
mod record;
mod relay;
mod report;
mod server;
mod targets;

use std::fs;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::sync::Arc;

use receiver::Authority;
use tempfile::TempDir;
use tokio::sync::Mutex;

use analysis::Analysis;
use database::Database;
use history::History;
use nemesis::Nemesis;
use observer::{Eye, Promises};
use pair::Pair;
use plan::Plan;
use postgres::Postgres;
use publisher::Publishers;
use report::{Report, Round};
use server::Site;
use world::small_disk::Disk;

/// Two of them would only measure how slow the machine is.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_killing_the_server_loses_nothing() {
    let _turn = ONE_AT_A_TIME.lock().await;
    survive(Database::Sqlite(Disk::large(Path::new(env!("CARGO_TARGET_TMPDIR"))))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_breaking_three_replicas_and_the_database_loses_nothing() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(postgres) = Postgres::start() else { return };
    survive(Database::Postgres(postgres)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_losing_the_primary_to_its_standby_loses_nothing() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(pair) = Pair::start().await else { return };
    survive(Database::Pair(pair)).await;
}

/// Round after round, until the time is over.
async fn survive(database: Database) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (plan, name, database) = (Plan::from_environment(), database.name(), Arc::new(database));
    say(&format!("\n{name}: {plan}"));
    let mut report = Report::default();
    for (number, plan) in plan.rounds().iter().enumerate() {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let analysis = round(plan, number, &database, &folder, &mut report).await;
        if !analysis.is_good() {
            database.keep(&folder);
            say(&report.to_string());
            panic!("{name}, round {number}: {analysis}\nThe servers' log is in {}", folder.display());
        }
        fs::remove_dir_all(folder).unwrap();
        database.forget(number).await;
    }
    say(&report.to_string());
}

/// Servers live through all that can happen; then what came of it is judged.
async fn round(
    plan: &Plan,
    number: usize,
    database: &Arc<Database>,
    folder: &Path,
    report: &mut Report,
) -> Analysis {
    let authority = Authority::new();
    let url = database.url(number).await;
    let site = Arc::new(Site::new(&plan.binary, &url, folder, authority.pem()));
    let api = site.first_key();

    let (eye, promises) = (Eye::on(&url).await, Promises::default());
    let past = (eye.clone(), promises.clone());
    let mut nemesis = Nemesis::start(site.clone(), database.clone(), past, plan.dice(0)).await;
    let targets = targets::add(&api, nemesis.addresses(), &authority).await;
    let history = History::open(targets.clone(), plan.dice(1));
    let publishers = Publishers::start(&api, &nemesis.addresses(), plan, &eye, &promises);
    nemesis.rage(plan.time).await;
    let calls = publishers.stop().await;
    let settled_in = observer::wait_for_the_end(&url).await;
    let faults = nemesis.end().await;
    let history = history.close().await;

    let analysis = checker::judge(&url, &targets, &calls, &history, &faults).await;
    let round =
        Round { plan, calls: &calls, faults: &faults, history: &history, analysis: &analysis, settled_in };
    report.add(&round, site.complaints());
    analysis
}

/// Shown even if the test succeeds.
fn say(text: &str) {
    let mut out = stdout();
    writeln!(out, "{text}").unwrap();
}
