//! How API keys that were just made are shown: this once.

use entity::ApiKeyKind;
use secrecy::ExposeSecret;

use crate::auth::issue_keys::Issued;
use crate::cli::output::Table;

/// The keys as they are shown this once.
pub(crate) fn table<'a>(keys: impl IntoIterator<Item = &'a Issued>) -> Table {
    let cells = |issued: &Issued| {
        let row = &issued.row;
        vec![
            Some(row.id.to_string()),
            Some(row.organization_id.to_string()),
            Some(row.environment.word().to_owned()),
            Some(word(row.kind).to_owned()),
            Some(row.name.clone()),
            Some(issued.key.expose_secret().to_owned()),
        ]
    };
    Table::new(&["id", "organization", "environment", "kind", "name", "key"], keys.into_iter().map(cells))
}

/// The word for a kind of key on the command line.
pub(crate) fn word(kind: ApiKeyKind) -> &'static str {
    match kind {
        ApiKeyKind::Integrator => "integrator",
        ApiKeyKind::Platform => "platform",
    }
}
