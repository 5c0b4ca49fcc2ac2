//! `reprise migrate`: brings the tables up to date before a new version starts.

use crate::cli::output;
use crate::config::database;

/// Which database.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    database: database::Options,
}

/// Does it.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let db = options.database.open().await?;
    db.close().await?;
    output::say(&format!("The tables of the {} database are up to date.", options.database.kind()))
}
