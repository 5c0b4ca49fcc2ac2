//! What can be asked.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::caller;
use crate::graphql::errors::Failure;
use crate::graphql::event::NotificationEvent;
use crate::graphql::filter::{self, NotificationEventsFilterInput};
use crate::graphql::node::{self, Node};
use crate::graphql::organization::Organization;
use crate::graphql::page::{self, Connection};

/// The root of all queries.
#[derive(Debug, Default)]
pub struct Query;

/// What can be read. All of it belongs to the organization and environment of the request's API key.
///
/// A document may cost up to 5,000 points. An object costs 1, a connection 2 and for each possible item
/// what is asked of it, a mutation 10 and what is asked of its payload; scalars cost nothing. Unless the
/// server is configured otherwise, an organization may make 200 requests and use 5,000 points in ten
/// seconds in `LIVE`, and half of that in `TEST`. `extensions.rateLimit` of every answer tells what is
/// left. Beyond it the status is 429, and `retryAfter` tells how many seconds to wait.
#[Object]
impl Query {
    /// Whether the API can be reached: `pong`.
    async fn ping(&self) -> &'static str {
        "pong"
    }

    /// The target, event, delivery attempt, signing key, organization or API key with this id. Null,
    /// without an error, if this API key cannot see such a thing.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An id that another field answered.")] id: ID,
    ) -> Option<Result<Node, Failure>> {
        node::find(ctx, &id).await.transpose()
    }

    /// The organizations of the API key: only its own.
    async fn organizations(&self, ctx: &Context<'_>) -> Option<Result<Vec<Organization>, Failure>> {
        let own = node::find_organization(ctx, &caller(ctx).scope.organization).await;
        Some(own.map(|own| own.into_iter().collect()).map_err(Failure::from))
    }

    /// The events of the organization, newest first, also those that were sent to no target. Events are
    /// kept for 30 days unless the server is configured otherwise.
    async fn notification_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "How many events, 1 to 200; 20 if null.")] first: Option<i32>,
        #[graphql(desc = "Reads what follows this cursor of the same list.")] after: Option<String>,
        #[graphql(desc = "Which events; all if left out.")] filter_by: Option<NotificationEventsFilterInput>,
    ) -> Option<Result<Connection<NotificationEvent>, Failure>> {
        match filter::events(filter_by) {
            Ok(events) => Some(page::of(ctx, events, first, after).await),
            Err(error) => Some(Err(error.into())),
        }
    }
}
