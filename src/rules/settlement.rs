//! What follows when an attempt has ended: for its delivery, and for its target.
//!
//! Whether an outcome may decide anything is the claim's question, which the store asks. Here its claim is
//! still the latest.

use entity::{
    AttemptStatus, DeliveryState, Environment, Purpose, TargetStatus, Timestamp, attempt, delivery, target,
};

use crate::rules::retry::Backoff;
use crate::rules::target_status::{self, Happening};

/// An attempt that has ended, and the claim under which it was made.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The delivery as it was claimed.
    pub delivery: delivery::Model,
    /// Where the event happened: it decides the schedule.
    pub environment: Environment,
    /// What to write down.
    pub attempt: attempt::Model,
    /// When the receiver wants to be asked again, if it said so: not before.
    pub not_before: Option<Timestamp>,
}

impl Outcome {
    /// Whether its verdict depends on the epoch of the target.
    pub(crate) fn depends_on_epoch(&self) -> bool {
        self.attempt.status == AttemptStatus::Failure
    }

    /// Which attempt of its delivery it is: 1, 2, …
    pub(crate) fn number(&self) -> u32 {
        self.delivery.attempts.unsigned_abs() + 1
    }

    /// What the receiver asked for counts for events only: an activation has its minute (T4).
    fn not_before(&self) -> Option<Timestamp> {
        self.not_before.filter(|_| self.delivery.purpose == Purpose::Event)
    }
}

/// What has become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Where it stands now.
    pub state: DeliveryState,
    /// When it is tried again; none: it has ended.
    pub due_at: Option<Timestamp>,
    /// How many attempts have failed.
    pub attempts: i32,
    /// Whether this attempt succeeded (D6).
    pub succeeded: bool,
}

/// Done, try again, or give up.
///
/// `epoch` is the target's now; none: it was removed. A delivery of an earlier one is not tried again,
/// because the target was deactivated since (D4). `random` lies between 0 and 1.
pub(crate) fn verdict(
    outcome: &Outcome,
    epoch: Option<i32>,
    backoff: &Backoff,
    random: f64,
    now: Timestamp,
) -> Verdict {
    let Outcome { delivery, attempt, .. } = outcome;
    let done = |state, succeeded| Verdict { state, due_at: None, attempts: delivery.attempts, succeeded };
    match attempt.status {
        AttemptStatus::Success => return done(DeliveryState::Succeeded, true),
        AttemptStatus::Skipped => return done(DeliveryState::Skipped, false),
        AttemptStatus::Failure => {}
    }
    let attempts = delivery.attempts + 1;
    let is_missed = epoch.is_none_or(|epoch| delivery.epoch < epoch);
    match backoff.after(outcome.number(), random).filter(|_| !is_missed) {
        Some(pause) => Verdict {
            state: DeliveryState::Waiting,
            due_at: Some(now + pause).max(outcome.not_before()),
            attempts,
            succeeded: false,
        },
        None => Verdict { attempts, ..done(DeliveryState::Failed, false) },
    }
}

/// What the end of a delivery means for its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// It answered an activation.
    Verified,
    /// An activation failed all its attempts.
    Unverified,
    /// An event failed all its attempts.
    Exhausted,
}

/// An outcome that means something for the target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    /// The outcome.
    pub outcome: &'a Outcome,
    /// What it means.
    pub consequence: Consequence,
}

/// What the outcome means for the target, if it means anything: an activation that came to its end, or an
/// event that failed all its attempts (T4, D3).
pub(crate) fn consequence(outcome: &Outcome, backoff: &Backoff) -> Option<Consequence> {
    let is_last = backoff.after(outcome.number(), 0.0).is_none();
    match (outcome.delivery.purpose, outcome.attempt.status) {
        (Purpose::Activation, AttemptStatus::Success) => Some(Consequence::Verified),
        (Purpose::Activation, AttemptStatus::Failure) => is_last.then_some(Consequence::Unverified),
        (Purpose::Event, AttemptStatus::Failure) => is_last.then_some(Consequence::Exhausted),
        (Purpose::Event, AttemptStatus::Success)
        | (Purpose::Event | Purpose::Activation, AttemptStatus::Skipped)
        | (Purpose::Ping, _) => None,
    }
}

/// What these ends mean for their target together: the one that decides, and the status that follows. `None`:
/// it stays as it is.
pub(crate) fn change<'a>(ends: &[End<'a>], target: &target::Model) -> Option<(End<'a>, TargetStatus)> {
    // A target that has answered is verified, whatever became of other activations.
    let is_verified = ends.iter().any(|end| end.consequence == Consequence::Verified);
    let mut ends = ends.iter().filter(|end| !(is_verified && end.consequence == Consequence::Unverified));
    ends.find_map(|end| {
        let status = target_status::after(target.status, happening(*end, target)?)?;
        (status != target.status).then_some((*end, status))
    })
}

fn happening(end: End<'_>, target: &target::Model) -> Option<Happening> {
    match end.consequence {
        Consequence::Verified => Some(Happening::Verified),
        Consequence::Unverified => Some(Happening::Unverified { was_active: target.activated_at.is_some() }),
        // What was queued before an earlier deactivation has had its consequence.
        Consequence::Exhausted => {
            (end.outcome.delivery.epoch == target.epoch).then_some(Happening::Exhausted)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use entity::{AttemptId, EventId, OrganizationId, TargetId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const EPOCH: i32 = 2;

    /// Two attempts, ten seconds apart.
    const BACKOFF: Backoff = Backoff { attempts: 2, first: Duration::from_secs(10), factor: 1, jitter: 0.5 };

    /// What comes of an attempt after so many others have failed.
    fn outcome(purpose: Purpose, status: AttemptStatus, failed: i32) -> Outcome {
        let (event_id, target_id) = (EventId::new(NOW), TargetId::new(NOW));
        let attempt = attempt::Model {
            id: AttemptId::new(NOW),
            event_id: event_id.clone(),
            target_id: target_id.clone(),
            uri: "https://company.com/hooks".to_owned(),
            status,
            response_code: None,
            failure_reason: None,
            response_excerpt: None,
            duration_ms: None,
            created_at: NOW,
        };
        let delivery = delivery::Model {
            event_id,
            target_id,
            purpose,
            state: DeliveryState::Claimed,
            replay: false,
            queued_at: NOW,
            due_at: Some(NOW),
            attempts: failed,
            is_retry: failed > 0,
            claim: 1,
            epoch: EPOCH,
            succeeded: None,
        };
        Outcome { delivery, environment: Environment::Live, attempt, not_before: None }
    }

    fn target(status: TargetStatus, activated_at: Option<Timestamp>, epoch: i32) -> target::Model {
        target::Model {
            id: TargetId::new(NOW),
            organization_id: OrganizationId::new(NOW),
            environment: Environment::Live,
            name: "A target".to_owned(),
            uri: "https://company.com/hooks".to_owned(),
            email: None,
            email_failed_at: None,
            status,
            created_at: NOW,
            updated_at: NOW,
            deactivated_at: None,
            activated_at,
            epoch,
            rotations: 0,
        }
    }

    #[test]
    fn a_failure_is_tried_again_while_attempts_are_left_and_the_epoch_lasts() {
        use AttemptStatus::{Failure, Skipped, Success};
        use DeliveryState::{Failed, Succeeded, Waiting};
        for (status, failed, epoch, state, attempts) in [
            (Success, 0, Some(EPOCH), Succeeded, 0),
            (Success, 1, Some(EPOCH), Succeeded, 1),
            (Success, 0, Some(EPOCH + 1), Succeeded, 0),
            (Success, 0, None, Succeeded, 0),
            (Skipped, 0, Some(EPOCH), DeliveryState::Skipped, 0),
            (Skipped, 1, Some(EPOCH + 1), DeliveryState::Skipped, 1),
            (Skipped, 0, None, DeliveryState::Skipped, 0),
            (Failure, 0, Some(EPOCH), Waiting, 1),
            (Failure, 0, Some(EPOCH - 1), Waiting, 1),
            (Failure, 0, Some(EPOCH + 1), Failed, 1),
            (Failure, 0, None, Failed, 1),
            (Failure, 1, Some(EPOCH), Failed, 2),
            (Failure, 9, Some(EPOCH), Failed, 10),
        ] {
            for purpose in [Purpose::Event, Purpose::Activation, Purpose::Ping] {
                let outcome = outcome(purpose, status, failed);
                let due_at = (state == Waiting).then_some(NOW + Duration::from_secs(10));
                let expected = Verdict { state, due_at, attempts, succeeded: status == Success };
                let case = (purpose, status, failed, epoch);
                assert_eq!(verdict(&outcome, epoch, &BACKOFF, 0.5, NOW), expected, "{case:?}");
                assert!(
                    outcome.depends_on_epoch() || expected == verdict(&outcome, None, &BACKOFF, 0.0, NOW)
                );
            }
        }
    }

    #[test]
    fn a_retry_is_due_after_its_pause_and_not_before_the_receiver_asked_for_it() {
        for (purpose, random, asked_for, seconds) in [
            (Purpose::Event, 0.0, None, 5),
            (Purpose::Event, 1.0, None, 15),
            (Purpose::Event, 0.5, Some(9), 10),
            (Purpose::Event, 0.5, Some(3_600), 3_600),
            (Purpose::Activation, 0.5, Some(3_600), 10),
        ] {
            let not_before = asked_for.map(|seconds| NOW + Duration::from_secs(seconds));
            let outcome = Outcome { not_before, ..outcome(purpose, AttemptStatus::Failure, 0) };
            let due_at = verdict(&outcome, Some(EPOCH), &BACKOFF, random, NOW).due_at;
            assert_eq!(
                due_at,
                Some(NOW + Duration::from_secs(seconds)),
                "{purpose:?} {random} {asked_for:?}"
            );
        }
    }

    #[test]
    fn activations_that_end_and_events_that_fail_for_good_mean_something_for_the_target() {
        use AttemptStatus::{Failure, Skipped, Success};
        use Purpose::{Activation, Event, Ping};
        for (purpose, status, first, last) in [
            (Event, Success, None, None),
            (Event, Failure, None, Some(Consequence::Exhausted)),
            (Event, Skipped, None, None),
            (Activation, Success, Some(Consequence::Verified), Some(Consequence::Verified)),
            (Activation, Failure, None, Some(Consequence::Unverified)),
            (Activation, Skipped, None, None),
            (Ping, Success, None, None),
            (Ping, Failure, None, None),
            (Ping, Skipped, None, None),
        ] {
            for (failed, expected) in [(0, first), (1, last)] {
                let outcome = outcome(purpose, status, failed);
                let case = (purpose, status, failed);
                assert_eq!(consequence(&outcome, &BACKOFF), expected, "{case:?}");
            }
        }
    }

    #[test]
    fn the_ends_of_deliveries_change_their_target_once() {
        use TargetStatus::{ActivationFailed, Active, Deactivated, PendingVerification};
        let failed = outcome(Purpose::Event, AttemptStatus::Failure, 1);
        let mut earlier = failed.clone();
        earlier.delivery.epoch = EPOCH - 1;
        let end = |consequence, outcome| End { outcome, consequence };
        let (fails, failed_earlier) =
            (end(Consequence::Exhausted, &failed), end(Consequence::Exhausted, &earlier));
        let (verified, unverified) =
            (end(Consequence::Verified, &failed), end(Consequence::Unverified, &failed));
        let (never, before) = (None, Some(NOW));
        for (number, (status, activated_at, ends, expected)) in [
            (Active, before, vec![], None),
            (Active, before, vec![fails], Some(Deactivated)),
            (Active, before, vec![fails, fails], Some(Deactivated)),
            (Active, before, vec![failed_earlier], None),
            (Active, before, vec![failed_earlier, fails], Some(Deactivated)),
            (Active, before, vec![verified, unverified], None),
            (Active, before, vec![verified, fails], Some(Deactivated)),
            (PendingVerification, never, vec![verified], Some(Active)),
            (PendingVerification, never, vec![unverified], None),
            (PendingVerification, before, vec![unverified], Some(ActivationFailed)),
            (PendingVerification, before, vec![unverified, verified], Some(Active)),
            (PendingVerification, before, vec![fails], None),
            (PendingVerification, before, vec![fails, verified], Some(Active)),
            (Deactivated, before, vec![verified, unverified, fails], None),
            (ActivationFailed, before, vec![verified, unverified, fails], None),
        ]
        .into_iter()
        .enumerate()
        {
            let target = target(status, activated_at, EPOCH);
            let changed = change(&ends, &target).map(|(_, status)| status);
            assert_eq!(changed, expected, "case {number}: {status:?}");
        }
    }

    #[test]
    fn the_delivery_that_is_told_of_is_one_of_the_latest_epoch() {
        let earlier = outcome(Purpose::Event, AttemptStatus::Failure, 1);
        let mut latest = outcome(Purpose::Event, AttemptStatus::Failure, 1);
        latest.delivery.epoch = EPOCH + 1;
        let ends = [&earlier, &latest].map(|outcome| End { outcome, consequence: Consequence::Exhausted });
        let target = target(TargetStatus::Active, Some(NOW), EPOCH + 1);
        let (told, _) = change(&ends, &target).unwrap();
        assert_eq!(told.outcome.delivery.event_id, latest.delivery.event_id);
    }
}
