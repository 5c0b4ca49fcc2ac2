//! The first start on an empty database: an organization to begin with, and keys
//! that may do everything in it.

use std::io::{IsTerminal, Write, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use entity::{ApiKeyKind, OrganizationId};
use secrecy::ExposeSecret;
use tempfile::NamedTempFile;
use tracing::{info, warn};

use crate::app::{App, log};
use crate::auth::issue_keys::{self, Issued};
use crate::cli::output;
use crate::config::encryption;
use crate::db::despite_conflicts;
use crate::error::Result;
use crate::store::organizations;

const NAME: &str = "My organization";

/// Where the first keys are when nobody watches.
const FILE: &str = "reprise.first-keys";

/// Makes the organization and its PLATFORM keys, TEST first, unless there is one already.
pub(crate) async fn prepare(app: &App) -> Result<Option<[Issued; 2]>> {
    despite_conflicts(|| prepare_once(app)).await
}

async fn prepare_once(app: &App) -> Result<Option<[Issued; 2]>> {
    let tx = app.db.begin().await?;
    organizations::lock_all(&tx).await?;
    if !organizations::list(&tx).await?.is_empty() {
        return Ok(None);
    }
    let (organization, keys) = issue_keys::organization(&tx, NAME, ApiKeyKind::Platform, app.now()).await?;
    tx.commit().await?;
    log::organization_made(&organization, keys.each_ref().map(|key| &key.row));
    Ok(Some(keys))
}

/// Shows the keys, this once, and how they are used: on a terminal, or else in a file that only its
/// owner can read, because whoever collects the output of a process keeps it.
pub(crate) fn greet(keys: &[Issued; 2], address: SocketAddr, folder: &Path) {
    let greeting = greeting(keys, address);
    // A terminal may be gone by now.
    if stdout().is_terminal() && output::say(&greeting).is_ok() {
        return;
    }
    let organization = &keys[0].row.organization_id;
    match keep(&greeting, organization, folder) {
        Ok(file) => info!(
            file = %file.display(),
            %organization,
            "this is the first start: an organization was made, and its keys are in a file; store them and remove it"
        ),
        Err(error) => warn!(
            %error,
            %organization,
            "this is the first start: an organization was made, but its keys could not be written to a file; \
             make others with `reprise keys create`"
        ),
    }
}

/// Writes the greeting to a file that was not there before.
fn keep(greeting: &str, organization: &OrganizationId, folder: &Path) -> std::io::Result<PathBuf> {
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let name = folder.join(FILE);
    let file = if name.try_exists()? { folder.join(format!("{FILE}.{organization}")) } else { name };
    let mut draft = NamedTempFile::new_in(folder)?;
    draft.write_all(greeting.as_bytes())?;
    draft.as_file().sync_all()?;
    draft.persist_noclobber(&file).map_err(|error| error.error)?;
    encryption::sync_folder(&file)?;
    Ok(file)
}

fn greeting([test, live]: &[Issued; 2], address: SocketAddr) -> String {
    format!(
        r#"
This is the first start, so an organization was made: "{NAME}", {organization}.

  Its key for TEST:  {test}
  Its key for LIVE:  {live}

They are shown this once. A key is the user name of Basic authentication, without a password:

  curl -u {test}: -H 'content-type: application/json' -d '{{"query": "{{ ping }}"}}' http://{address}/graphql

A page to try things out is at http://{address}/graphiql. For customers there are other keys:
`reprise organizations create NAME` prints them.
"#,
        organization = test.row.organization_id,
        test = test.key.expose_secret(),
        live = live.key.expose_secret(),
    )
}
