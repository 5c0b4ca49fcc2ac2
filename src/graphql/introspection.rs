//! What the schema says of itself. The library has a text of its own there, which is about GraphQL.

use std::sync::Arc;

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo};
use async_graphql::{ServerResult, Value};

/// The description of the schema.
pub(super) const DESCRIPTION: &str = "The notification API: targets that subscribe to events, the events, and how they \
    were delivered. What Reprise adds to Highnote's API is marked `Extension:`.";

/// The extension of the schema.
pub(super) struct Described;

impl ExtensionFactory for Described {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for Described {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        if info.is_for_introspection && info.parent_type == "__Schema" && info.name == "description" {
            return Ok(Some(DESCRIPTION.into()));
        }
        next.run(ctx, info).await
    }
}
