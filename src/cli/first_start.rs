//! The first start on an empty database: an organization to begin with, and keys
//! that may do everything in it.

use std::net::SocketAddr;

use entity::ApiKeyKind;
use secrecy::ExposeSecret;

use crate::app::App;
use crate::app::issue::{self, Issued};
use crate::cli::output;
use crate::db::despite_conflicts;
use crate::error::Result;
use crate::store::organizations;

const NAME: &str = "My organization";

/// Makes the organization and its PLATFORM keys, TEST first, unless there is one already.
pub async fn prepare(app: &App) -> Result<Option<[Issued; 2]>> {
    despite_conflicts(|| prepare_once(app)).await
}

async fn prepare_once(app: &App) -> Result<Option<[Issued; 2]>> {
    let tx = app.db.begin().await?;
    organizations::lock_all(&tx).await?;
    if !organizations::list(&tx).await?.is_empty() {
        return Ok(None);
    }
    let (_, keys) = issue::organization(&tx, NAME, ApiKeyKind::Platform, app.now()).await?;
    tx.commit().await?;
    Ok(Some(keys))
}

/// Shows the keys, this once, and how they are used.
pub fn greet([test, live]: &[Issued; 2], address: SocketAddr) -> anyhow::Result<()> {
    output::say(&format!(
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
    ))
}
