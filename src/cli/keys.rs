//! `reprise keys`: API keys. The only way to make a PLATFORM key (X4). And the
//! exchange of the key that secrets are encrypted with.

use anyhow::{Context, anyhow};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use entity::{ApiKeyId, ApiKeyKind, AuditAction, Environment, OrganizationId, api_key};

use crate::app::{log, timekeeper};
use crate::auth::issue_keys::{self, Order};
use crate::cli::output::Table;
use crate::cli::{credentials, output, rotation};
use crate::config::{self, database};
use crate::rules::text;
use crate::store::audit::{self, Note};
use crate::store::{Scope, api_keys, organizations};

/// What can be done with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Creates a key and shows it, once.
    Create(Create),
    /// Lists all keys, oldest first.
    List(List),
    /// Revokes a key: it ceases to work at once.
    Revoke(Revoke),
    /// Encrypts all secrets in the database again, with the first of the encryption keys.
    RotateEncryption(rotation::Options),
}

/// A key to create.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// The organization whose key it will be.
    #[arg(long, value_name = "ID", value_parser = organization_id)]
    organization: OrganizationId,
    /// Where it acts.
    #[arg(long, value_parser = environment())]
    environment: Environment,
    /// Whether it is a customer's (integrator) or yours (platform), which may publish everywhere.
    #[arg(long, value_parser = kind())]
    kind: ApiKeyKind,
    /// A name to recognize it by, 1 to 255 characters.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    output: output::Options,
    #[command(flatten)]
    database: database::Options,
    #[command(flatten)]
    log: config::log::Options,
}

/// Which keys to list: all.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    output: output::Options,
    #[command(flatten)]
    database: database::Options,
}

/// A key to revoke.
#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// The key's id: `key_` and 32 hex digits.
    #[arg(value_parser = key_id)]
    id: ApiKeyId,
    #[command(flatten)]
    output: output::Options,
    #[command(flatten)]
    database: database::Options,
    #[command(flatten)]
    log: config::log::Options,
}

/// Does it.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create(options) => create(options).await,
        Command::List(options) => list(options).await,
        Command::Revoke(options) => revoke(options).await,
        Command::RotateEncryption(options) => rotation::run(options).await,
    }
}

async fn create(options: Create) -> anyhow::Result<()> {
    options.log.start()?;
    text::name(&options.name).map_err(|violation| anyhow!("--name: {}", violation.description))?;
    let db = options.database.open_existing().await?;
    let now = timekeeper::now(&db).await?;
    let tx = db.begin().await?;
    organizations::find(&tx, &options.organization)
        .await?
        .with_context(|| format!("there is no organization {}", options.organization))?;
    let scope = Scope { organization: options.organization, environment: options.environment };
    let order = Order { kind: options.kind, name: &options.name, by: None };
    let issued = issue_keys::key(&tx, &scope, order, now).await?;
    tx.commit().await?;
    log::key_made(&issued.row);
    let id = &issued.row.id;
    let what = format!(
        "{id} is made, but could not be shown; end it with `reprise keys revoke {id}`, and make another"
    );
    options.output.show_once(&credentials::table([&issued]), &what)?;
    options.output.remark("The key is shown this once.")
}

async fn list(options: List) -> anyhow::Result<()> {
    let db = options.database.open_to_read().await?;
    options.output.print(&table(api_keys::list(db.reader()).await?))
}

async fn revoke(options: Revoke) -> anyhow::Result<()> {
    options.log.start()?;
    let db = options.database.open_existing().await?;
    let now = timekeeper::now(&db).await?;
    let tx = db.begin().await?;
    let mut key =
        api_keys::find(&tx, &options.id).await?.with_context(|| format!("there is no key {}", options.id))?;
    let is_valid = key.revoked_at.is_none();
    if is_valid {
        key = api_keys::revoke(&tx, key, now).await?;
        let scope = Scope { organization: key.organization_id.clone(), environment: key.environment };
        let note = Note { key: None, action: AuditAction::ApiKeyRevoked, subject: key.id.to_string() };
        audit::add(&tx, &scope, note, now).await?;
    }
    tx.commit().await?;
    if is_valid {
        log::key_revoked(&key);
    }
    options.output.print(&table([key]))
}

fn table(keys: impl IntoIterator<Item = api_key::Model>) -> Table {
    let cells = |key: api_key::Model| {
        vec![
            Some(key.id.to_string()),
            Some(key.organization_id.to_string()),
            Some(key.environment.word().to_owned()),
            Some(credentials::word(key.kind).to_owned()),
            Some(key.name),
            Some(key.redacted_key),
            Some(key.created_at.to_string()),
            key.revoked_at.map(|at| at.to_string()),
        ]
    };
    let columns = &["id", "organization", "environment", "kind", "name", "key", "created", "revoked"];
    Table::new(columns, keys.into_iter().map(cells))
}

fn environment() -> impl TypedValueParser<Value = Environment> {
    let of_word = |word: String| {
        let is_live = word.eq_ignore_ascii_case(Environment::Live.word());
        if is_live { Environment::Live } else { Environment::Test }
    };
    PossibleValuesParser::new([Environment::Test, Environment::Live].map(Environment::word)).map(of_word)
}

fn kind() -> impl TypedValueParser<Value = ApiKeyKind> {
    let kinds = [ApiKeyKind::Integrator, ApiKeyKind::Platform];
    let of_word = |word: String| {
        let is_platform = word.eq_ignore_ascii_case(credentials::word(ApiKeyKind::Platform));
        if is_platform { ApiKeyKind::Platform } else { ApiKeyKind::Integrator }
    };
    PossibleValuesParser::new(kinds.map(credentials::word)).map(of_word)
}

fn organization_id(text: &str) -> Result<OrganizationId, String> {
    text.parse().map_err(|_| "an organization's id is `org_` and 32 hex digits".to_owned())
}

fn key_id(text: &str) -> Result<ApiKeyId, String> {
    text.parse().map_err(|_| "a key's id is `key_` and 32 hex digits".to_owned())
}
