//! The way of one claimed delivery, from its slot in a lane to its outcome.

use std::time::Duration;

use entity::{TargetId, delivery};
use fail::fail_point;
use tokio::time::sleep;
use tracing::{Instrument, info_span};

use crate::app::App;
use crate::delivery::attempt::job::Job;
use crate::delivery::attempt::{log, send};
use crate::delivery::buffer::Buffer;
use crate::delivery::buffer::window::Feedback;
use crate::delivery::signal::{Reports, Signal, Stopping};
use crate::delivery::writer::settle::Ended;

/// How long an attempt waits that could not be begun, time after time; then it makes room for others.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1_800)];

/// Makes one attempt, after a wait, and hands its outcome over; only then its slot in the lane is free.
pub(crate) async fn deliver(app: App, job: Job, wait: Duration, stopping: Stopping, mut slot: Slot) {
    let delivery = job.delivery.clone();
    let recipient = job.contents.as_ref().map(|contents| contents.recipient.clone());
    let (target_id, event_id) = (&delivery.target_id, &delivery.event_id);
    // Whatever is logged on the way says for which attempt.
    let span = info_span!("attempt", %target_id, %event_id, attempt = delivery.attempts + 1);
    let ended = tokio::select! {
        ended = carry(&app, job, wait, &mut slot).instrument(span) => ended,
        () = stopping.attempts.cancelled() => Some(Ended::GivenBack(delivery)),
    };
    let Some(ended) = ended else { return };
    if let Ended::Attempted(outcome) = &ended {
        log::ended(recipient.as_ref().map(|recipient| &recipient.target.organization_id), outcome);
    }
    fail_point!("sent", |_| {});
    slot.hand_over(ended).await;
}

/// How the delivery ends; none, if it is not ours any more.
///
/// What we lack ourselves is no attempt: it is waited for a little, and then the delivery is put off, so
/// that it keeps no other from being sent.
async fn carry(app: &App, mut job: Job, wait: Duration, slot: &mut Slot) -> Option<Ended> {
    let mut pauses = PAUSES.iter();
    let mut pause = wait;
    loop {
        if !pause.is_zero() {
            sleep(pause).await;
            // The target may have been deactivated or removed meanwhile.
            if let Some(latest) = slot.buffer.recipients().latest(&slot.target) {
                job.update_recipients(&latest);
            }
        }
        let delivery = &job.delivery;
        if !slot.buffer.leases().is_running(delivery, app.now()) {
            tracing::warn!(event_id = %delivery.event_id, "a lease ran out before its delivery was begun");
            return None;
        }
        let Some(contents) = &job.contents else { return Some(Ended::Gone(job.delivery)) };
        if contents.is_missed(delivery) {
            return Some(Ended::Attempted(send::skip(delivery.clone(), contents, app.now())));
        }
        match send::attempt(app, delivery.clone(), contents).await {
            Ok((outcome, feedback)) => {
                slot.feedback = feedback;
                return Some(Ended::Attempted(outcome));
            }
            Err(trouble) => app.troubles.note(trouble),
        }
        let Some(next) = pauses.next() else {
            slot.feedback = Feedback::Overloaded;
            return Some(Ended::PutOff(job.delivery));
        };
        // Not all at once: what is short would be short again.
        pause = next.mul_f64(0.5 + rand::random::<f64>());
    }
}

/// A slot in a lane, and the claim that it was taken for.
///
/// However its holder ends, by a panic too, the slot becomes free; and a claim without an
/// outcome is not renewed any more, so that somebody else takes the delivery.
#[derive(Debug)]
pub(crate) struct Slot {
    delivery: Option<delivery::Model>,
    target: TargetId,
    weight: usize,
    feedback: Feedback,
    buffer: Buffer,
    reports: Reports,
}

impl Slot {
    /// The slot of a job of this weight.
    pub(crate) fn new(job: &Job, weight: usize, buffer: &Buffer, reports: &Reports) -> Self {
        Self {
            delivery: Some(job.delivery.clone()),
            target: job.delivery.target_id.clone(),
            weight,
            feedback: Feedback::default(),
            buffer: buffer.clone(),
            reports: reports.clone(),
        }
    }

    async fn hand_over(&mut self, ended: Ended) {
        if self.reports.outcomes.send(ended).await.is_ok() {
            self.delivery = None;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.buffer.leases().end(self.delivery.iter());
        let (target, weight, feedback) = (self.target.clone(), self.weight, self.feedback);
        self.reports.signals.send(Signal::Freed { target, weight, feedback }).ok();
    }
}
