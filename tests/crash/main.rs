//! The crash test: the real server is killed, stopped and cut off from its database,
//! again and again and under load. At the end what publishers were promised is compared
//! with what receivers got: nothing may be lost, and whatever came twice must have been
//! in flight when something broke.
//!
//! `CRASH_SECONDS=3600 cargo test --test crash` runs the release binary for an hour on each
//! database; without it the debug binary runs for a few seconds. `CRASH_SEED` repeats a run's
//! dice, `CRASH_RATE` sets the load, `REPRISE_BINARY` names another binary.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a test that fails panics, and is written to be read"
)]

mod api;
mod chaos;
#[allow(dead_code, reason = "others need more of it")]
#[path = "../it/world/cluster.rs"]
mod cluster;
mod ledger;
mod plan;
mod postgres;
mod publisher;
mod record;
mod report;
mod server;
mod targets;
mod verdict;
mod witness;

use std::io::{Write as _, stdout};
use std::sync::Arc;

use receiver::Authority;
use tempfile::TempDir;
use tokio::sync::Mutex;

use chaos::Chaos;
use ledger::Ledger;
use plan::Plan;
use postgres::Postgres;
use publisher::Publishers;
use server::Site;

/// Two of them would only measure how slow the machine is.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_killing_the_server_loses_nothing() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let url = format!("sqlite://{}", folder.path().join("reprise.db").display());
    survive("SQLite", 1, &url, folder, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_breaking_three_replicas_and_the_database_loses_nothing() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(postgres) = Postgres::start() else { return };
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    survive("PostgreSQL", 3, &postgres.url(), folder, Some(Arc::new(postgres))).await;
}

/// Servers live through all that can happen; then what came of it is judged.
async fn survive(
    database: &str,
    replicas: usize,
    url: &str,
    folder: TempDir,
    postgres: Option<Arc<Postgres>>,
) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let plan = Plan::from_environment();
    say(&format!("\n{database}: {plan}"));
    let folder = folder.keep();
    let authority = Authority::new();
    let site = Arc::new(Site::new(&plan.binary, url, &folder, authority.pem()));
    let api = site.first_key();

    let mut chaos = Chaos::start(site.clone(), postgres.clone(), replicas, plan.dice(0)).await;
    let targets = targets::add(&api, chaos.doors(), &authority).await;
    let ledger = Ledger::open(targets.clone(), plan.dice(1));
    let publishers = Publishers::start(&api, &chaos.doors(), &plan);
    chaos.rage(plan.time).await;
    let calls = publishers.stop().await;
    let settled_in = witness::wait_for_the_end(url).await;
    let toll = chaos.end().await;
    let ledger = ledger.close().await;

    let verdict = verdict::reach(url, &targets, &calls, &ledger, &toll).await;
    let run = report::Run {
        plan: &plan,
        calls: &calls,
        toll: &toll,
        ledger: &ledger,
        verdict: &verdict,
        settled_in,
    };
    say(&report::table(&run));
    say(&report::complaints(&site));
    assert!(verdict.is_good(), "{database}: {verdict}\nThe servers' log is in {}", folder.display());
    std::fs::remove_dir_all(folder).unwrap();
}

/// Shown even if the test succeeds.
fn say(text: &str) {
    let mut out = stdout();
    writeln!(out, "{text}").unwrap();
}
