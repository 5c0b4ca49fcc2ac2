//! The way out: answers, refusals, and what every answer bears.

pub(crate) mod answer;
pub(crate) mod observe;
pub(crate) mod rate_limit;
pub(crate) mod refusal;
pub(crate) mod request_id;
