//! Looks rows up for a whole answer at once: however many nodes ask for their target
//! or for a page of their attempts, each kind costs one statement.
//!
//! Everything is selected from the caller's scope. One set serves one request, and
//! nothing is kept: a later field of the same request sees what an earlier one changed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use entity::{ApiKeyId, EventId, NotificationEventName, TargetId, api_key, event, signing_key, target};
use tracing::Instrument;

use crate::app::App;
use crate::graphql::errors::Failure;
use crate::graphql::limits::payload_budget;
use crate::quota::memory::Share;
use crate::rules::page::Page;
use crate::store::lists::{List, Row};
use crate::store::{Scope, api_keys, events, pages, signing_keys, subscriptions, targets};

/// The loaders of one request.
pub(super) type Loaders = DataLoader<Batch>;

/// Runs what the loaders have gathered.
pub(super) struct Batch {
    app: App,
    scope: Scope,
    share: Arc<Share>,
}

/// The loaders of a request within `scope`.
pub(super) fn new(app: App, scope: Scope, share: Arc<Share>) -> Loaders {
    // In the span of the request, so that the log tells whose failure it was.
    DataLoader::new(Batch { app, scope, share }, |batch| tokio::spawn(batch.in_current_span()))
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Head<L> {
    /// The list.
    pub list: L,
    /// Which part of it.
    pub page: Page,
}

/// Whose subscriptions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SubscriptionsOf(pub TargetId);

/// Whose signing keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SigningKeysOf(pub TargetId);

impl<L: List> Loader<Head<L>> for Batch {
    type Value = Vec<Row<L>>;
    type Error = Failure;

    async fn load(&self, heads: &[Head<L>]) -> Result<HashMap<Head<L>, Vec<Row<L>>>, Failure> {
        let lists = heads.iter().map(|head| (head.list.rows(&self.scope), head.page.clone())).collect();
        let room = |row: &Row<L>| payload_budget::add(&self.share, L::text_bytes(row));
        let pages = pages::read(self.app.db.reader(), L::ID, lists, room).await?;
        Ok(heads.iter().cloned().zip(pages).collect())
    }
}

impl Loader<ApiKeyId> for Batch {
    type Value = api_key::Model;
    type Error = Failure;

    async fn load(&self, ids: &[ApiKeyId]) -> Result<HashMap<ApiKeyId, api_key::Model>, Failure> {
        let rows = api_keys::find_all(self.app.db.reader(), &self.scope, ids).await?;
        Ok(by(|row| row.id.clone(), rows))
    }
}

impl Loader<TargetId> for Batch {
    type Value = target::Model;
    type Error = Failure;

    async fn load(&self, ids: &[TargetId]) -> Result<HashMap<TargetId, target::Model>, Failure> {
        let rows = targets::find_all(self.app.db.reader(), &self.scope, ids).await?;
        Ok(by(|row| row.id.clone(), rows))
    }
}

impl Loader<EventId> for Batch {
    type Value = event::Model;
    type Error = Failure;

    async fn load(&self, ids: &[EventId]) -> Result<HashMap<EventId, event::Model>, Failure> {
        let room = |row: &event::Model| payload_budget::add(&self.share, row.node.len());
        let rows = events::find_all(self.app.db.reader(), &self.scope, ids, room).await?;
        Ok(by(|row| row.id.clone(), rows))
    }
}

impl Loader<SubscriptionsOf> for Batch {
    type Value = Vec<NotificationEventName>;
    type Error = Failure;

    async fn load(&self, of: &[SubscriptionsOf]) -> Result<HashMap<SubscriptionsOf, Self::Value>, Failure> {
        let ids: Vec<_> = of.iter().map(|of| of.0.clone()).collect();
        let sets = subscriptions::of_targets(self.app.db.reader(), &self.scope, &ids).await?;
        Ok(sets.into_iter().map(|(id, set)| (SubscriptionsOf(id), set)).collect())
    }
}

impl Loader<SigningKeysOf> for Batch {
    type Value = Vec<signing_key::Model>;
    type Error = Failure;

    async fn load(&self, of: &[SigningKeysOf]) -> Result<HashMap<SigningKeysOf, Self::Value>, Failure> {
        let ids: Vec<_> = of.iter().map(|of| of.0.clone()).collect();
        let keys = signing_keys::list(self.app.db.reader(), &self.scope, &ids, self.app.now()).await?;
        Ok(keys.into_iter().map(|(id, keys)| (SigningKeysOf(id), keys)).collect())
    }
}

fn by<K: Eq + Hash, R>(id: impl Fn(&R) -> K, rows: Vec<R>) -> HashMap<K, R> {
    rows.into_iter().map(|row| (id(&row), row)).collect()
}
