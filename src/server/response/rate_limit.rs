//! How rate limits are told (G12): `extensions.rateLimit` in every answer to a caller, and what is
//! said to those who have used theirs up.

use serde_json::{Value, json};

use crate::quota::ledger::{Refused, Standing, What};
use crate::server::response::refusal::{Refusal, seconds};

/// The value of `rateLimit`. `limit` and `remaining` are those of points, or of what is used up.
pub fn extension(standing: &Standing) -> Value {
    let mut told = json!({
        "limit": standing.points,
        "remaining": standing.points_left,
        "count": { "limit": standing.requests, "remaining": standing.requests_left },
        "complexity": { "limit": standing.points, "remaining": standing.points_left },
    });
    if let Some(cost) = standing.cost {
        told["cost"] = cost.into();
    }
    if let Some(refused) = standing.refused {
        told["limit"] = refused.quota.limit.into();
        told["remaining"] = refused.remaining.into();
        told["retryAfter"] = seconds(refused.retry_after).into();
    }
    told
}

/// What is answered instead of carrying out a request.
pub fn refusal(refused: Refused) -> Refusal {
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
    Refusal::for_now(message, refused.retry_after)
}
