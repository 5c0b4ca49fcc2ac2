//! Connections: pages of lists in the form that Relay asks for (G8).
//!
//! There is one generic connection; each list has it under a name of its own. A
//! cursor is good for its list and its caller only.

use async_graphql::{Context, OutputType, SimpleObject};

use crate::error::{Error, Result};
use crate::graphql::api_key::ApiKey;
use crate::graphql::attempt::DeliveryAttempt;
use crate::graphql::audit::AuditEntry;
use crate::graphql::context::{app, caller, loaders, weight};
use crate::graphql::errors::Failure;
use crate::graphql::event::NotificationEvent;
use crate::graphql::loaders::Head;
use crate::graphql::status_history::NotificationTargetStatusHistory;
use crate::graphql::target::WebhookNotificationTarget;
use crate::graphql::target_event::WebhookNotificationTargetEvent;
use crate::rules::page::{self, Page};
use crate::store::Scope;
use crate::store::lists::{List, Row};

/// One page of a list, newest first. Give its `endCursor` as `after` to read the next one. Nodes that are
/// added meanwhile do not move the pages.
#[derive(Debug, SimpleObject)]
#[graphql(
    concrete(name = "APIKeyConnection", params(ApiKey)),
    concrete(name = "AuditEntryConnection", params(AuditEntry)),
    concrete(name = "DeliveryAttemptConnection", params(DeliveryAttempt)),
    concrete(name = "NotificationEventsConnection", params(NotificationEvent)),
    concrete(name = "NotificationTargetStatusHistoryConnection", params(NotificationTargetStatusHistory)),
    concrete(name = "WebhookNotificationTargetConnection", params(WebhookNotificationTarget)),
    concrete(name = "WebhookNotificationTargetEventConnection", params(WebhookNotificationTargetEvent))
)]
pub(super) struct Connection<N: OutputType>
where
    Edge<N>: OutputType,
{
    /// Where this page stands in the list.
    page_info: PageInfo,
    /// The nodes of this page, each with its cursor.
    edges: Option<Vec<Edge<N>>>,
}

/// A node and its place in the list.
#[derive(Debug, SimpleObject)]
#[graphql(
    concrete(name = "APIKeyEdge", params(ApiKey)),
    concrete(name = "AuditEntryEdge", params(AuditEntry)),
    concrete(name = "DeliveryAttemptEdge", params(DeliveryAttempt)),
    concrete(name = "NotificationEventEdge", params(NotificationEvent)),
    concrete(name = "NotificationTargetStatusHistoryEdge", params(NotificationTargetStatusHistory)),
    concrete(name = "WebhookNotificationTargetEdge", params(WebhookNotificationTarget)),
    concrete(name = "WebhookNotificationTargetEventEdge", params(WebhookNotificationTargetEvent))
)]
pub(super) struct Edge<N: OutputType> {
    /// The place of the node in the list: give it as `after` to read what follows.
    cursor: String,
    /// The node.
    node: Option<N>,
}

/// Where a page stands in its list.
#[derive(Debug, SimpleObject)]
pub(super) struct PageInfo {
    /// Whether there are nodes after this page.
    has_next_page: bool,
    /// Whether this page was asked for with a cursor, so that there are nodes before it.
    has_previous_page: bool,
    /// The cursor of the first node; empty if the page is.
    start_cursor: String,
    /// The cursor of the last node; empty if the page is.
    end_cursor: String,
}

/// The connection of the page of `list` that was asked for.
pub(super) async fn of<L: List, N: OutputType + From<Row<L>>>(
    ctx: &Context<'_>,
    list: L,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Connection<N>, Failure>
where
    Edge<N>: OutputType,
{
    let label = label(&list, &caller(ctx).scope);
    // The cursors of an empty page are empty: there was nothing yet that could be read on behind.
    let after = after.filter(|cursor| !cursor.is_empty());
    let is_continued = after.is_some();
    let page = Page { first: page::size(first, page::DEFAULT)?, after: open::<L>(ctx, &label, after)? };
    let size = usize::try_from(page.first).unwrap_or(usize::MAX);
    let mut rows = loaders(ctx).load_one(Head { list, page }).await?.unwrap_or_default();
    let has_next_page = rows.len() > size;
    rows.truncate(size);
    weight(ctx).add_rows(rows.len(), ctx)?;
    let cursors: Vec<_> = rows.iter().map(|row| app(ctx).cursors.seal(&label, L::id(row))).collect();
    let page_info = PageInfo {
        has_next_page,
        has_previous_page: is_continued,
        start_cursor: cursors.first().cloned().unwrap_or_default(),
        end_cursor: cursors.last().cloned().unwrap_or_default(),
    };
    let edges = cursors.into_iter().zip(rows).map(|(cursor, row)| Edge { cursor, node: Some(row.into()) });
    Ok(Connection { page_info, edges: Some(edges.collect()) })
}

fn label(list: &impl List, scope: &Scope) -> String {
    format!("{}:{}:{}", list.label(), scope.organization, scope.environment.word())
}

fn open<L: List>(ctx: &Context<'_>, label: &str, after: Option<String>) -> Result<Option<String>> {
    let Some(cursor) = after else { return Ok(None) };
    let id = app(ctx).cursors.open(label, &cursor)?;
    match id.parse::<L::Id>() {
        Ok(_) => Ok(Some(id)),
        Err(_) => Err(Error::BadArgument("`after` is no cursor of this list.".to_owned())),
    }
}
