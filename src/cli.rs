//! The commands.
//!
//! What a command has to say goes to the standard output, in tables for people or
//! as JSON for scripts. What went wrong is one line on the standard error output.

pub mod credentials;
pub mod demo;
pub mod first_start;
pub mod keys;
pub mod migrate;
pub mod organizations;
pub mod output;
mod patience;
pub mod rotation;
pub mod running;
pub mod serve;

use std::io::{Write, stderr};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

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
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(stderr(), "error: {}", causes(&error)).ok();
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        match command {
            Command::Serve(options) => serve::run(*options).await,
            Command::Demo(options) => demo::run(options).await,
            Command::Keys(command) => keys::run(command).await,
            Command::Organizations(command) => organizations::run(command).await,
            Command::Migrate(options) => migrate::run(options).await,
        }
    });
    runtime.shutdown_timeout(LAST_MOMENTS);
    ended
}
