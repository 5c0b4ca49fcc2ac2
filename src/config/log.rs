//! What is logged, and how. Logs go to the standard error output.

use std::io::{IsTerminal, stderr};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;

/// The log.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Log")]
pub(crate) struct Options {
    /// The form of the log's lines.
    #[arg(long, env = "REPRISE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: Format,
    // The pool tells of each try to connect that we refuse, which `db::postgres` tells once in a while.
    /// What is logged: a level (error, warn, info, debug, trace), or levels by module.
    #[arg(
        long,
        env = "REPRISE_LOG",
        value_name = "FILTER",
        default_value = "info,sqlx=warn,sea_orm_migration=warn,sqlx::postgres::notice=warn,sqlx_core::pool::inner=off"
    )]
    pub log: String,
}

/// The form of the log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl Options {
    /// Starts logging, panics included.
    ///
    /// # Errors
    /// When the filter cannot be read.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        let filter = EnvFilter::try_new(&self.log)
            .with_context(|| format!("--log is {:?}: give levels such as info,reprise=debug", self.log))?;
        ensure!(
            !is_silent(&self.log),
            "--log is {:?}, which lets through nothing of this server: give levels such as info,reprise=debug, or off",
            self.log
        );
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_span_events(FmtSpan::NONE);
        // A line that cannot be written is lost. To say so there too would panic, and end the process.
        let log = log.with_writer(stderr).with_ansi(stderr().is_terminal()).log_internal_errors(false);
        match self.log_format {
            Format::Text => log.init(),
            Format::Json => log.json().flatten_event(true).with_span_list(false).init(),
        }
        // By default a panic is written as plain text, without the request that it ended.
        std::panic::set_hook(Box::new(|panic| {
            let (text, place) =
                (panic.payload_as_str().unwrap_or_default(), panic.location().map(ToString::to_string));
            tracing::error!(panic = text, place, "a task panicked");
        }));
        Ok(())
    }
}

/// Whether a filter keeps back even our errors, though nobody said `off`: `nonsense=`, or a level with a
/// letter too many. Filters by spans are not looked into.
fn is_silent(filter: &str) -> bool {
    let targets = filter.parse::<Targets>();
    let is_on_purpose =
        filter.is_empty() || filter.contains('[') || filter.to_ascii_lowercase().contains("off");
    !is_on_purpose
        && targets.is_ok_and(|targets| !targets.would_enable(env!("CARGO_PKG_NAME"), &Level::ERROR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_filter_that_matches_nothing_is_refused() {
        for (filter, expected) in [
            ("info", false),
            ("info,sqlx=warn", false),
            ("sqlx=warn,error", false),
            ("reprise=debug", false),
            ("off", false),
            ("reprise=off", false),
            ("[request]=debug", false),
            ("nonsense=", true),
            ("nonsense", true),
            ("inof", true),
            ("sqlx=debug", true),
            ("", false),
        ] {
            assert_eq!(is_silent(filter), expected, "{filter}");
        }
    }
}
