//! The commands.
//!
//! What a command has to say goes to the standard output, in tables for people or
//! as JSON for scripts. What went wrong is one line on the standard error output.

pub(crate) mod backup;
pub(crate) mod credentials;
pub(crate) mod demo;
pub(crate) mod first_start;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod organizations;
pub(crate) mod output;
pub mod rotation;
pub(crate) mod running;
pub mod serve;
mod unlock;
mod wait_for_database;

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use serde_json::json;

use crate::clock::Clock;
use crate::config::environment;
use crate::error::causes;

/// How long what still runs in the background may go on when a command has ended.
const LAST_MOMENTS: Duration = Duration::from_millis(100);

/// A self-hosted server for the Highnote notification API: GraphQL in, signed HTTPS webhooks out.
#[derive(Debug, Parser)]
#[command(name = "reprise", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server: the API and the delivery of notifications.
    #[command(after_help = "Durations are written like 250ms, 10s, 5m, 24h or 30d.")]
    Serve(Box<serve::Options>),
    /// Shows the main job in a few seconds, on a temporary database.
    Demo(demo::Options),
    /// Creates, lists and revokes API keys, and exchanges the encryption key.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Creates and lists organizations.
    #[command(subcommand)]
    Organizations(organizations::Command),
    /// Brings the tables of the database up to date; `serve` does it, too.
    Migrate(migrate::Options),
    /// Copies an SQLite database into a new file, while the server runs.
    Backup(backup::Options),
    /// Puts such a copy in the place of the database; the server must not run.
    Restore(backup::Options),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let command = environment::without_blanks(Cli::command());
    let Cli { command } = Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let is_for_programs = matches!(&command, Command::Serve(options) if options.logs_json());
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(stderr(), "{}", complaint(&error, is_for_programs)).ok();
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, as a line of the log if that is for programs. It may be that the log could not be started.
fn complaint(error: &anyhow::Error, is_for_programs: bool) -> String {
    let causes = causes(error);
    if is_for_programs {
        let timestamp = Clock::system().now();
        json!({ "timestamp": timestamp, "level": "ERROR", "message": causes, "target": module_path!() })
            .to_string()
    } else {
        format!("error: {causes}")
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    // Only where failpoints are compiled in: for tests.
    let _faults = fail::has_failpoints().then(fail::FailScenario::setup);
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        match command {
            Command::Serve(options) => serve::run(*options).await,
            Command::Demo(options) => demo::run(options).await,
            Command::Keys(command) => keys::run(command).await,
            Command::Organizations(command) => organizations::run(command).await,
            Command::Migrate(options) => migrate::run(options).await,
            Command::Backup(options) => backup::back_up(options).await,
            Command::Restore(options) => backup::restore(options).await,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENTS);
    ended
}
