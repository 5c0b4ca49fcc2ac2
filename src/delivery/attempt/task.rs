//! The way of one claimed delivery, from its place in a lane to its outcome.

use std::time::Duration;

use entity::{TargetId, delivery};
use fail::fail_point;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::app::App;
use crate::delivery::Stopping;
use crate::delivery::attempt::job::Parcel;
use crate::delivery::attempt::send;
use crate::delivery::buffer::Shelf;
use crate::delivery::buffer::window::Went;
use crate::delivery::dispatcher::Signal;
use crate::delivery::writer::settle::Ended;

/// Where attempts report to: their outcomes, and their ends.
pub type Reports = (mpsc::Sender<Ended>, mpsc::UnboundedSender<Signal>);

/// How long an attempt waits that could not be begun, time after time; then it makes room for others.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(1_800)];

/// Makes one attempt, after a wait, and hands its outcome over; only then its place in the lane is free.
pub async fn deliver(app: App, parcel: Parcel, wait: Duration, stopping: Stopping, mut place: Place) {
    let delivery = parcel.delivery.clone();
    let ended = tokio::select! {
        ended = carry(&app, parcel, wait, &mut place) => ended,
        () = stopping.attempts.cancelled() => Some(Ended::GivenBack(delivery)),
    };
    let Some(ended) = ended else { return };
    fail_point!("sent", |_| {});
    place.hand_over(ended).await;
}

/// How the delivery ends; none, if it is not ours any more.
///
/// What we lack ourselves is no attempt: it is waited for a little, and then the delivery is put off, so
/// that it keeps no other from being sent.
async fn carry(app: &App, mut parcel: Parcel, wait: Duration, place: &mut Place) -> Option<Ended> {
    let mut pauses = PAUSES.iter();
    let mut pause = wait;
    loop {
        if !pause.is_zero() {
            sleep(pause).await;
            // The target may have been deactivated or removed meanwhile.
            if let Some(latest) = place.shelf.addresses().latest(&place.target) {
                parcel.readdress(&latest);
            }
        }
        let delivery = &parcel.delivery;
        if !place.shelf.leases().is_running(delivery, app.now()) {
            tracing::warn!(event = %delivery.event_id, "a lease ran out before its delivery was begun");
            return None;
        }
        let Some(contents) = &parcel.contents else { return Some(Ended::Gone(parcel.delivery)) };
        if contents.is_missed(delivery) {
            return Some(Ended::Attempted(send::skip(delivery.clone(), contents, app.now())));
        }
        match send::attempt(app, delivery.clone(), contents).await {
            Ok((outcome, went)) => {
                place.went = went;
                return Some(Ended::Attempted(outcome));
            }
            Err(trouble) => app.troubles.note(trouble),
        }
        let Some(next) = pauses.next() else {
            place.went = Went::Overloaded;
            return Some(Ended::PutOff(parcel.delivery));
        };
        // Not all at once: what is short would be short again.
        pause = next.mul_f64(0.5 + rand::random::<f64>());
    }
}

/// A place in a lane, and the claim that it was taken for.
///
/// However its holder ends, by a panic too, the place becomes free; and a claim without an
/// outcome is not renewed any more, so that somebody else takes the delivery.
#[derive(Debug)]
pub struct Place {
    delivery: Option<delivery::Model>,
    target: TargetId,
    weight: usize,
    went: Went,
    shelf: Shelf,
    reports: Reports,
}

impl Place {
    /// The place of a parcel of this weight.
    pub fn new(parcel: &Parcel, weight: usize, shelf: &Shelf, reports: &Reports) -> Self {
        Self {
            delivery: Some(parcel.delivery.clone()),
            target: parcel.delivery.target_id.clone(),
            weight,
            went: Went::default(),
            shelf: shelf.clone(),
            reports: reports.clone(),
        }
    }

    async fn hand_over(&mut self, ended: Ended) {
        if self.reports.0.send(ended).await.is_ok() {
            self.delivery = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shelf.leases().end(self.delivery.iter());
        let (target, weight, went) = (self.target.clone(), self.weight, self.went);
        self.reports.1.send(Signal::Freed { target, weight, went }).ok();
    }
}
