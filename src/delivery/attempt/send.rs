//! One attempt: stamps, signs and posts a notification (W1–W6).
//!
//! A receiver that misbehaves is an outcome to be written down. What we lack ourselves is none.

use bytes::Bytes;
use entity::{AttemptId, AttemptStatus, FailureReason, Timestamp, attempt, delivery};
use hyper::header::HeaderValue;

use crate::app::App;
use crate::delivery::attempt::job::Contents;
use crate::delivery::attempt::recipients::Recipient;
use crate::delivery::buffer::window::Feedback;
use crate::outbound::trouble::Trouble;
use crate::outbound::{Answer, Notification};
use crate::rules::retry;
use crate::rules::settlement::Outcome;
use crate::store::attempts;

/// Sends the notification, and waits for its answer or the deadline. Each attempt has a
/// stamp and signatures of its own, because receivers refuse old ones (W4).
///
/// # Errors
/// What we lack, so that it was not even begun.
pub(crate) async fn attempt(
    app: &App,
    delivery: delivery::Model,
    contents: &Contents,
) -> Result<(Outcome, Feedback), Trouble> {
    let Contents { message, recipient } = contents;
    let (started_at, stamped_at) = app.now_and_stamp();
    let notification = notification(&delivery, contents, stamped_at);
    let answer = app.http.post(notification).await?;
    let feedback = feedback(&answer);
    // A date is of the clocks of others, and what is kept is of our time.
    let (now, clock) = app.now_and_stamp();
    let asked_for = answer.retry_after.as_deref().and_then(|text| retry::asked_for(text, clock));
    let not_before = asked_for.map(|at| now + at.since(clock));
    let attempt = row(&delivery, recipient, started_at, answer);
    Ok((Outcome { delivery, environment: message.environment, attempt, not_before }, feedback))
}

fn notification<'a>(
    delivery: &delivery::Model,
    contents: &'a Contents,
    stamped_at: Timestamp,
) -> Notification<'a> {
    let Contents { message, recipient } = contents;
    let body = message.envelope.stamped(stamped_at);
    let signature = HeaderValue::from_maybe_shared(Bytes::from(recipient.signer.header(&body)))
        .expect("signatures are hexadecimal digits and commas");
    Notification {
        destination: &recipient.destination,
        body: body.into(),
        signature,
        replay: delivery.replay,
    }
}

fn feedback(answer: &Answer) -> Feedback {
    match (answer.failure, answer.status) {
        (None, _) => Feedback::Well,
        (Some(FailureReason::Timeout), _) | (_, Some(429 | 503)) => Feedback::Overloaded,
        _ => Feedback::Otherwise,
    }
}

/// The outcome of what is not sent, because its target was deactivated meanwhile (D4).
pub(crate) fn skip(delivery: delivery::Model, contents: &Contents, now: Timestamp) -> Outcome {
    let Contents { message, recipient } = contents;
    let attempt = attempts::skipped(&delivery.event_id, &delivery.target_id, &recipient.target.uri, now);
    Outcome { delivery, environment: message.environment, attempt, not_before: None }
}

fn row(
    delivery: &delivery::Model,
    recipient: &Recipient,
    started_at: Timestamp,
    answer: Answer,
) -> attempt::Model {
    let status = if answer.failure.is_none() { AttemptStatus::Success } else { AttemptStatus::Failure };
    attempt::Model {
        id: AttemptId::new(started_at),
        event_id: delivery.event_id.clone(),
        target_id: delivery.target_id.clone(),
        uri: recipient.target.uri.clone(),
        status,
        response_code: answer.status.map(i32::from),
        failure_reason: answer.failure,
        response_excerpt: answer.excerpt,
        duration_ms: i64::try_from(answer.duration.as_millis()).ok(),
        created_at: started_at,
    }
}
