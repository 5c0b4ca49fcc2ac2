//! The filters of lists. What an unreadable value means, the rules know (G10).

use std::collections::BTreeSet;

use async_graphql::InputObject;
use entity::{NotificationEventName, TargetId};

use crate::error::Error;
use crate::rules::time_filter::Filter;
use crate::store::lists::{DeliveriesTo, Events};

/// Which times are wanted. A time has to match all operators that are given; null, or no operator, matches
/// every time.
///
/// A value is a date, `2022-03-31`, which is its whole day in UTC, or a timestamp,
/// `2022-03-31T21:21:39.732Z`, which is one millisecond. Anything else is an error with the
/// code `BAD_USER_INPUT`.
#[derive(Debug, InputObject)]
pub(crate) struct NotificationTimestampFilterInput {
    /// On that day or in that millisecond.
    equals: Option<String>,
    /// Not on that day or not in that millisecond.
    not_equals: Option<String>,
    /// Before that day or millisecond begins.
    less_than: Option<String>,
    /// Before that day or millisecond ends.
    less_than_or_equals: Option<String>,
    /// After that day or millisecond has ended.
    greater_than: Option<String>,
    /// After that day or millisecond has begun.
    greater_than_or_equals: Option<String>,
    /// From the beginning of `start` to the end of `end`, both included.
    between: Option<NotificationTimestampFilterInputRange>,
}

/// A range of time that includes both of its ends.
#[derive(Debug, InputObject)]
pub(super) struct NotificationTimestampFilterInputRange {
    /// The first day or millisecond; null for no beginning.
    start: Option<String>,
    /// The last day or millisecond; null for no end.
    end: Option<String>,
}

impl From<NotificationTimestampFilterInput> for Filter {
    fn from(input: NotificationTimestampFilterInput) -> Self {
        Self {
            equals: input.equals,
            not_equals: input.not_equals,
            less_than: input.less_than,
            less_than_or_equals: input.less_than_or_equals,
            greater_than: input.greater_than,
            greater_than_or_equals: input.greater_than_or_equals,
            between: input.between.map(|range| (range.start, range.end)),
        }
    }
}

/// Which events are wanted. An event has to match all fields that are given.
#[derive(Debug, InputObject)]
pub(super) struct NotificationEventsFilterInput {
    /// Events that were published at these times.
    created_at: Option<NotificationTimestampFilterInput>,
    /// Events of one of these names; an empty list matches nothing.
    name: Option<Vec<NotificationEventName>>,
}

/// Which events of a target are wanted. An event has to match all fields that are given.
#[derive(Debug, InputObject)]
pub(super) struct WebhookNotificationTargetEventFilterInput {
    /// Events that were published at these times.
    event_created_at: Option<NotificationTimestampFilterInput>,
    /// Events of one of these names; an empty list matches nothing.
    name: Option<Vec<NotificationEventName>>,
    /// True: events whose latest delivery attempt on the target succeeded. False: events whose latest
    /// attempt failed or was skipped, which is what the target missed. Events without an attempt match
    /// neither.
    has_successful_delivery: Option<bool>,
}

/// The events that the filter lets through.
pub(super) fn events(filter: Option<NotificationEventsFilterInput>) -> Result<Events, Error> {
    let Some(filter) = filter else { return Ok(Events::default()) };
    select(filter.created_at, filter.name)
}

/// The deliveries to the target that the filter lets through.
pub(super) fn deliveries(
    target: TargetId,
    filter: Option<WebhookNotificationTargetEventFilterInput>,
) -> Result<DeliveriesTo, Error> {
    let Some(filter) = filter else {
        return Ok(DeliveriesTo { target, events: Events::default(), succeeded: None });
    };
    let events = select(filter.event_created_at, filter.name)?;
    Ok(DeliveriesTo { target, events, succeeded: filter.has_successful_delivery })
}

fn select(
    created: Option<NotificationTimestampFilterInput>,
    names: Option<Vec<NotificationEventName>>,
) -> Result<Events, Error> {
    let created = created.map(Filter::from).unwrap_or_default().bounds()?;
    Ok(Events { created, names: names.map(BTreeSet::from_iter) })
}
