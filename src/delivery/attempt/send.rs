//! One attempt: stamps, signs and posts a notification (W1–W6).
//!
//! A receiver that misbehaves is an outcome to be written down. What we lack ourselves is none.

use bytes::Bytes;
use entity::{AttemptId, AttemptStatus, FailureReason, Timestamp, attempt, delivery};
use hyper::header::HeaderValue;

use crate::app::App;
use crate::delivery::attempt::job::Contents;
use crate::delivery::attempt::recipients::Address;
use crate::delivery::buffer::window::Went;
use crate::outbound::trouble::Trouble;
use crate::outbound::{Answer, Notification};
use crate::rules::retry;
use crate::store::attempts;
use crate::store::settlement::Outcome;

/// Sends the notification, and waits for its answer or the deadline. Each attempt has a
/// stamp and signatures of its own, because receivers refuse old ones (W4).
///
/// # Errors
/// What we lack, so that it was not even begun.
pub async fn attempt(
    app: &App,
    delivery: delivery::Model,
    contents: &Contents,
) -> Result<(Outcome, Went), Trouble> {
    let Contents { letter, address } = contents;
    let (started_at, stamped_at) = app.now_and_stamp();
    let notification = notification(&delivery, contents, stamped_at);
    let answer = app.http.post(notification).await?;
    let went = went(&answer);
    // A date is of the clocks of others, and what is kept is of our time.
    let (now, clock) = app.now_and_stamp();
    let asked_for = answer.retry_after.as_deref().and_then(|text| retry::asked_for(text, clock));
    let not_before = asked_for.map(|at| now + at.since(clock));
    let attempt = row(&delivery, address, started_at, answer);
    Ok((Outcome { delivery, environment: letter.environment, attempt, not_before }, went))
}

fn notification<'a>(
    delivery: &delivery::Model,
    contents: &'a Contents,
    stamped_at: Timestamp,
) -> Notification<'a> {
    let Contents { letter, address } = contents;
    let body = letter.envelope.stamped(stamped_at);
    let signature = HeaderValue::from_maybe_shared(Bytes::from(address.signer.header(&body)))
        .expect("signatures are hexadecimal digits and commas");
    Notification { destination: &address.destination, body: body.into(), signature, replay: delivery.replay }
}

fn went(answer: &Answer) -> Went {
    match (answer.failure, answer.status) {
        (None, _) => Went::Well,
        (Some(FailureReason::Timeout), _) | (_, Some(429 | 503)) => Went::Overloaded,
        _ => Went::Otherwise,
    }
}

/// The outcome of what is not sent, because its target was deactivated meanwhile (D4).
pub fn skip(delivery: delivery::Model, contents: &Contents, now: Timestamp) -> Outcome {
    let Contents { letter, address } = contents;
    let attempt = attempts::skipped(&delivery.event_id, &delivery.target_id, &address.target.uri, now);
    Outcome { delivery, environment: letter.environment, attempt, not_before: None }
}

fn row(
    delivery: &delivery::Model,
    address: &Address,
    started_at: Timestamp,
    answer: Answer,
) -> attempt::Model {
    let status = if answer.failure.is_none() { AttemptStatus::Success } else { AttemptStatus::Failure };
    attempt::Model {
        id: AttemptId::new(started_at),
        event_id: delivery.event_id.clone(),
        target_id: delivery.target_id.clone(),
        uri: address.target.uri.clone(),
        status,
        response_code: answer.status.map(i32::from),
        failure_reason: answer.failure,
        response_excerpt: answer.excerpt,
        duration_ms: i64::try_from(answer.duration.as_millis()).ok(),
        created_at: started_at,
    }
}
