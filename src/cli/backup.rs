//! `reprise backup` and `reprise restore`: a copy of an SQLite database while the server runs, and the way back.

use std::path::PathBuf;

use crate::cli::output;
use crate::config::database;
use crate::db;

/// Where to, or where from.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The copy.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: database::Options,
}

/// Makes a copy.
pub(crate) async fn back_up(Options { file, database }: Options) -> anyhow::Result<()> {
    db::back_up(&database.database_url, &file).await?;
    output::say(&format!(
        "{} is a copy of the database. Keep the encryption key with it, elsewhere: it is not in the copy.",
        file.display()
    ))
}

/// Puts a copy in the place of the database.
pub(crate) async fn restore(Options { file, database }: Options) -> anyhow::Result<()> {
    let moved = db::restore(&database.database_url, &file).await?;
    if let Some(moved) = moved {
        output::say(&format!("What was there is in {} now.", moved.display()))?;
    }
    output::say(
        "The copy is in its place. It does not know what was sent after it was made: start with --paused to look first.",
    )
}
