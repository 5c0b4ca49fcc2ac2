//! `reprise organizations`: the tenants of the server.

use anyhow::anyhow;
use entity::{ApiKeyKind, organization};

use crate::app::{log, timekeeper};
use crate::auth::issue_keys;
use crate::cli::output::Table;
use crate::cli::{credentials, output};
use crate::config::{self, database};
use crate::rules::text;
use crate::store::organizations;

/// What can be done with organizations.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Creates an organization with a first key in each environment, and shows the keys, once.
    Create(Create),
    /// Lists all organizations, oldest first.
    List(List),
}

/// An organization to create.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Its name, 1 to 255 characters.
    name: String,
    #[command(flatten)]
    output: output::Options,
    #[command(flatten)]
    database: database::Options,
    #[command(flatten)]
    log: config::log::Options,
}

/// Which organizations to list: all.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    output: output::Options,
    #[command(flatten)]
    database: database::Options,
}

/// Does it.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create(options) => create(options).await,
        Command::List(options) => list(options).await,
    }
}

async fn create(options: Create) -> anyhow::Result<()> {
    options.log.start()?;
    text::name(&options.name).map_err(|violation| anyhow!("NAME: {}", violation.description))?;
    let db = options.database.open().await?;
    let now = timekeeper::now(&db).await?;
    let tx = db.begin().await?;
    let (organization, keys) =
        issue_keys::organization(&tx, &options.name, ApiKeyKind::Integrator, now).await?;
    tx.commit().await?;
    log::organization_made(&organization, keys.each_ref().map(|key| &key.row));
    let id = &organization.id;
    let what = format!(
        "{id} is made, but its keys could not be shown; make others with `reprise keys create --organization {id}`"
    );
    options.output.show_once(&credentials::table(&keys), &what)?;
    options.output.remark(&format!("{} is made. Its keys are shown this once.", organization.id))
}

async fn list(options: List) -> anyhow::Result<()> {
    let db = options.database.open_to_read().await?;
    options.output.print(&table(organizations::list(db.reader()).await?))
}

fn table(organizations: Vec<organization::Model>) -> Table {
    let cells = |organization: organization::Model| {
        vec![
            Some(organization.id.to_string()),
            Some(organization.display_name),
            Some(organization.created_at.to_string()),
        ]
    };
    Table::new(&["id", "name", "created"], organizations.into_iter().map(cells))
}
