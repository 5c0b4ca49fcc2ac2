//! The way of one claimed delivery, from its place in a lane to its outcome.

use entity::{TargetId, delivery};
use fail::fail_point;
use tokio::sync::mpsc;

use crate::app::App;
use crate::delivery::dispatch::Signal;
use crate::delivery::leases::Leases;
use crate::delivery::parcel::Parcel;
use crate::delivery::settle::Ended;
use crate::delivery::width::Went;
use crate::delivery::{Stopping, send};

/// Where attempts report to: their outcomes, and their ends.
pub type Reports = (mpsc::Sender<Ended>, mpsc::UnboundedSender<Signal>);

/// Makes one attempt and hands its outcome over; only then its place in the lane is free.
pub async fn deliver(app: App, parcel: Parcel, stopping: Stopping, mut place: Place) {
    let Parcel { delivery, contents } = parcel;
    let ended = match &contents {
        None => Ended::Gone(delivery),
        Some(contents) if contents.is_missed(&delivery) => {
            Ended::Attempted(send::skip(delivery, contents, app.now()))
        }
        Some(contents) => {
            let attempt = send::attempt(&app, delivery.clone(), contents);
            tokio::select! {
                (outcome, went) = attempt => {
                    place.went = went;
                    Ended::Attempted(outcome)
                }
                () = stopping.attempts.cancelled() => Ended::GivenBack(delivery),
            }
        }
    };
    fail_point!("sent", |_| {});
    place.hand_over(ended).await;
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
    leases: Leases,
    reports: Reports,
}

impl Place {
    /// The place of a parcel of this weight.
    pub fn new(parcel: &Parcel, weight: usize, leases: &Leases, reports: &Reports) -> Self {
        Self {
            delivery: Some(parcel.delivery.clone()),
            target: parcel.delivery.target_id.clone(),
            weight,
            went: Went::default(),
            leases: leases.clone(),
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
        self.leases.end(self.delivery.iter());
        let (target, weight, went) = (self.target.clone(), self.weight, self.went);
        self.reports.1.send(Signal::Freed { target, weight, went }).ok();
    }
}
