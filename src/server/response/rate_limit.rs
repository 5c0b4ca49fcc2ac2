//! How rate limits are told (G12): `extensions.rateLimit` in every answer to a caller, and what is
//! said to those who have used theirs up.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::graphql::codes;
use crate::quota::ledger::{Refused, Standing, Unpaid, What};
use crate::server::response::refusal::{Refusal, seconds};

/// The value of `rateLimit`. `limit` and `remaining` are those of points, or of what is used up.
pub(crate) fn extension(standing: &Standing, used_up: Option<&Refused>) -> Value {
    let mut told = json!({
        "limit": standing.points,
        "remaining": standing.points_left,
        "count": { "limit": standing.requests, "remaining": standing.requests_left },
        "complexity": { "limit": standing.points, "remaining": standing.points_left },
    });
    if let Some(cost) = standing.cost {
        told["cost"] = cost.into();
    }
    if let Some(used_up) = used_up {
        told["limit"] = used_up.quota.limit.into();
        told["remaining"] = used_up.remaining.into();
        told["retryAfter"] = seconds(used_up.retry_after).into();
    }
    told
}

/// What is answered instead of carrying out a request.
pub(crate) fn refusal(refused: Refused) -> Refusal {
    let what = match refused.what {
        What::Requests => "requests",
        What::Points => "points of complexity",
    };
    let message = format!(
        "More than {} {what} in {} seconds. Try again in {} seconds.",
        refused.quota.limit,
        refused.quota.per.as_secs(),
        seconds(refused.retry_after),
    );
    Refusal::of_rate(message, refused)
}

/// What is answered instead of carrying out an operation of this complexity.
pub(crate) fn unpaid(unpaid: Unpaid, complexity: usize) -> Refusal {
    match unpaid {
        Unpaid::Refused(refused) => refusal(refused),
        Unpaid::Never(points) => {
            let message = format!(
                "The operation costs {complexity} points and more for each event that it publishes; there are \
                 {points} in ten seconds. Ask for less at a time."
            );
            Refusal::new(StatusCode::BAD_REQUEST, codes::VALIDATION_FAILED, message)
        }
    }
}
