//! The way out: answers, refusals, and what every answer bears.

pub mod answer;
pub mod observe;
pub mod rate_limit;
pub mod refusal;
pub mod request_id;
