//! Creating organizations, which is the platform's business (X4).

use async_graphql::{Context, InputObject, Object};
use entity::{ApiKeyKind, AuditAction};

use crate::app::{App, log};
use crate::auth::{Caller, issue_keys};
use crate::error::{Error, Result, Violations};
use crate::graphql::api_key::ApiKey;
use crate::graphql::context::{app, caller};
use crate::graphql::mutation::{change, note};
use crate::graphql::organization::Organization;
use crate::graphql::payload::{CreateOrganizationPayload, CreatedOrganization, Payload};
use crate::rules::text;

/// Extension: an organization to create.
#[derive(Debug, InputObject)]
pub(super) struct CreateOrganizationInput {
    /// Extension: its name for people, 1 to 255 characters other than control characters, else
    /// `INVALID_NAME`.
    display_name: String,
}

/// The mutation of organizations.
#[derive(Default)]
pub(super) struct OrganizationMutations;

#[Object]
impl OrganizationMutations {
    /// Extension: creates an organization with one INTEGRATOR key to TEST and one to LIVE. Keep both
    /// keys: they are not shown again. With an INTEGRATOR key the payload is an `AccessDeniedError`.
    async fn create_organization(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Extension: the organization.")] input: CreateOrganizationInput,
    ) -> Payload<CreateOrganizationPayload> {
        change(|| create(app(ctx), caller(ctx), &input)).await
    }
}

async fn create(app: &App, caller: &Caller, input: &CreateOrganizationInput) -> Result<CreatedOrganization> {
    if !caller.is_platform() {
        return Err(Error::Denied("Only PLATFORM keys create organizations.".to_owned()));
    }
    let mut violations = Violations::default();
    violations.check("displayName", text::name(&input.display_name));
    violations.join(Ok(()))?;
    let now = app.now();
    let tx = app.db.begin().await?;
    let (row, keys) = issue_keys::organization(&tx, &input.display_name, ApiKeyKind::Integrator, now).await?;
    note(&tx, caller, AuditAction::OrganizationCreated, &row.id, now).await?;
    tx.commit().await?;
    log::organization_made(&row, keys.each_ref().map(|key| &key.row));
    let [test_key, live_key] = keys.map(ApiKey::from);
    Ok(CreatedOrganization { organization: Organization(row), test_key, live_key })
}
