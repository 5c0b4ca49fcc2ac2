//! Writes down how attempts ended and what follows: done, try again, give up.
//!
//! One transaction settles many outcomes with a fixed number of statements. What
//! an outcome decides counts only where its claim is still the latest; where it
//! is not, the attempt is recorded and somebody else decides.

use std::collections::{HashMap, HashSet};

use entity::{
    AttemptStatus, DeliveryState, Environment, EventId, Purpose, TargetId, TargetStatus, Timestamp, attempt,
    delivery, target,
};
use fail::fail_point;
use sea_orm::{ActiveEnum, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Value};

use crate::error::Result;
use crate::rules::mail::{self, Conditions};
use crate::rules::retry::{Backoff, Schedules};
use crate::store::bulk::{Column, Script};
use crate::store::claims::{self, claim_of};
use crate::store::{attempts, mails, targets};

/// An attempt that has ended, and the claim under which it was made.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The delivery as it was claimed.
    pub delivery: delivery::Model,
    /// Where the event happened: it decides the schedule.
    pub environment: Environment,
    /// What to write down.
    pub attempt: attempt::Model,
    /// When the receiver wants to be asked again, if it said so: not before.
    pub not_before: Option<Timestamp>,
}

/// A target whose status has changed, and what decided that.
#[derive(Debug)]
pub struct Change {
    /// The target as it is now.
    pub target: target::Model,
    /// The attempt that decided it.
    pub outcome: Outcome,
}

impl Outcome {
    /// Which attempt of its delivery it is: 1, 2, …
    pub fn number(&self) -> u32 {
        self.delivery.attempts.unsigned_abs() + 1
    }

    /// Whether it was the last attempt that the schedule has.
    fn is_last(&self, terms: &Terms<'_>) -> bool {
        terms.backoff_of(self).after(self.number(), 0.0).is_none()
    }

    /// What the receiver asked for counts for events only: an activation has its minute (T4).
    fn not_before(&self) -> Option<Timestamp> {
        self.not_before.filter(|_| self.delivery.purpose == Purpose::Event)
    }

    /// Whether it means something for the target: an activation that came to its end, or an event
    /// that failed all its attempts (T4, D3).
    fn has_consequences(&self, terms: &Terms<'_>) -> bool {
        match (self.delivery.purpose, self.attempt.status) {
            (Purpose::Ping, _) | (_, AttemptStatus::Skipped) => false,
            (purpose, AttemptStatus::Success) => purpose == Purpose::Activation,
            (_, AttemptStatus::Failure) => self.is_last(terms),
        }
    }
}

impl Terms<'_> {
    fn backoff_of(&self, outcome: &Outcome) -> &Backoff {
        self.schedules.of(outcome.delivery.purpose, outcome.environment)
    }
}

/// What settling goes by.
#[derive(Debug)]
pub struct Terms<'a> {
    /// When failed deliveries are tried again.
    pub schedules: &'a Schedules,
    /// What a mail about a deactivation tells of the settings; none: no mails are sent.
    pub mails: Option<Conditions>,
    /// Spreads the retries: each call answers a number from 0 to 1.
    pub random: fn() -> f64,
    /// The time of settling.
    pub now: Timestamp,
}

/// What has become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    state: DeliveryState,
    due_at: Option<Timestamp>,
    attempts: i32,
    succeeded: bool,
}

/// Settles outcomes. Answers whose status has changed: what waits for a target that was deactivated has to be
/// skipped.
pub async fn settle(
    tx: &impl ConnectionTrait,
    outcomes: &[Outcome],
    terms: &Terms<'_>,
) -> Result<Vec<Change>> {
    let targets = find_targets(tx, outcomes, terms).await?;
    let verdicts: Vec<Verdict> = outcomes
        .iter()
        .map(|outcome| verdict(outcome, targets.get(&outcome.delivery.target_id), terms))
        .collect();
    let ends: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.has_consequences(terms)).collect();
    let counted =
        claims::hold_to_decide(tx, ends.iter().map(|end| claim_of(&end.delivery)).collect()).await?;
    write(tx, outcomes, &verdicts).await?;
    fail_point!("settling", |_| Err(anyhow::anyhow!("a fault was injected").into()));
    let mut consequences = Ends::default();
    for end in ends.into_iter().filter(|end| counted.contains(&claim_of(&end.delivery))) {
        consequences.add(end);
    }
    consequences.carry_out(tx, targets, terms).await
}

/// The targets that verdicts depend on. Those on which an outcome has consequences are held until
/// these are written; of the others only the epoch counts, and a deactivation that comes between
/// skips what was to be tried again.
async fn find_targets(
    tx: &impl ConnectionTrait,
    outcomes: &[Outcome],
    terms: &Terms<'_>,
) -> Result<HashMap<TargetId, target::Model>> {
    let mut held = HashSet::new();
    let mut read = HashSet::new();
    for outcome in outcomes {
        let id = &outcome.delivery.target_id;
        if outcome.has_consequences(terms) {
            held.insert(id);
        } else if outcome.attempt.status == AttemptStatus::Failure {
            read.insert(id);
        }
    }
    let read = read.difference(&held).copied().cloned().collect();
    let mut rows = targets::lock_all(tx, held.into_iter().cloned().collect()).await?;
    rows.extend(targets::list(tx, read).await?);
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

fn verdict(outcome: &Outcome, target: Option<&target::Model>, terms: &Terms<'_>) -> Verdict {
    let Outcome { delivery, attempt, .. } = outcome;
    let done = |state, succeeded| Verdict { state, due_at: None, attempts: delivery.attempts, succeeded };
    match attempt.status {
        AttemptStatus::Success => return done(DeliveryState::Succeeded, true),
        AttemptStatus::Skipped => return done(DeliveryState::Skipped, false),
        AttemptStatus::Failure => {}
    }
    let attempts = delivery.attempts + 1;
    let is_missed = target.is_none_or(|target| delivery.epoch < target.epoch);
    let backoff = terms.backoff_of(outcome);
    let pause = backoff.after(attempts.unsigned_abs(), (terms.random)()).filter(|_| !is_missed);
    match pause {
        Some(pause) => Verdict {
            state: DeliveryState::Waiting,
            due_at: Some(terms.now + pause).max(outcome.not_before()),
            attempts,
            succeeded: false,
        },
        None => Verdict { attempts, ..done(DeliveryState::Failed, false) },
    }
}

/// What is written of a delivery, after what it is found by.
const SETTLED: [Column; 7] = [
    Column::full("event_id"),
    Column::full("target_id"),
    Column::full("claim"),
    Column::full("state"),
    Column::with_nulls("due_at"),
    Column::full("attempts"),
    Column::full("succeeded"),
];

/// Writes down the attempts, and the verdicts of those whose claim is still the latest: in the order in
/// which all take the deliveries that they write to, so that no two transactions wait for each other.
///
/// What was replayed since is due now instead. It is taken from the claim, so that writing the same once more
/// changes nothing.
async fn write(tx: &impl ConnectionTrait, outcomes: &[Outcome], verdicts: &[Verdict]) -> Result<()> {
    let mut settled: Vec<(&Outcome, &Verdict)> = outcomes.iter().zip(verdicts).collect();
    settled.sort_by(|(a, _), (b, _)| place_of(a).cmp(&place_of(b)));
    let rows = settled.iter().map(|(Outcome { delivery, .. }, verdict)| -> [Value; 7] {
        [
            (&delivery.event_id).into(),
            (&delivery.target_id).into(),
            delivery.claim.into(),
            verdict.state.into(),
            verdict.due_at.into(),
            verdict.attempts.into(),
            verdict.succeeded.into(),
        ]
    });
    let mut script = Script::new(tx);
    attempts::insert_all(&mut script, outcomes.iter().map(|outcome| &outcome.attempt));
    script.add(&SETTLED, rows, settle_all);
    script.run(tx).await
}

fn settle_all(rows: &str) -> String {
    let (replayed, waiting) = (DeliveryState::Replayed.to_value(), DeliveryState::Waiting.to_value());
    let unless_replayed = |verdict: &str, replay: &str| {
        format!("CASE delivery.state WHEN '{replayed}' THEN {replay} ELSE {verdict} END")
    };
    format!(
        "UPDATE delivery SET state = {}, due_at = {}, attempts = {}, is_retry = {}, claim = {}, \
                succeeded = settled.succeeded \
         FROM ({rows}) AS settled \
         WHERE delivery.event_id = settled.event_id \
                AND delivery.target_id = settled.target_id AND delivery.claim = settled.claim",
        unless_replayed("settled.state", &format!("'{waiting}'")),
        unless_replayed("settled.due_at", "delivery.queued_at"),
        unless_replayed("settled.attempts", "0"),
        unless_replayed("settled.attempts > 0", "FALSE"),
        unless_replayed("delivery.claim", "delivery.claim + 1"),
    )
}

fn place_of(outcome: &Outcome) -> (&EventId, &TargetId) {
    (&outcome.delivery.event_id, &outcome.delivery.target_id)
}

/// What the ends of deliveries mean for their targets.
#[derive(Default)]
struct Ends<'a> {
    verified: HashMap<&'a TargetId, &'a Outcome>,
    unverified: HashMap<&'a TargetId, &'a Outcome>,
    /// Of each target a delivery that failed all its attempts, one of the latest epoch.
    exhausted: HashMap<&'a TargetId, &'a Outcome>,
}

impl<'a> Ends<'a> {
    fn add(&mut self, outcome: &'a Outcome) {
        let target = &outcome.delivery.target_id;
        match (outcome.delivery.purpose, outcome.attempt.status) {
            (Purpose::Activation, AttemptStatus::Success) => {
                self.verified.insert(target, outcome);
            }
            (Purpose::Activation, AttemptStatus::Failure) => {
                self.unverified.insert(target, outcome);
            }
            (Purpose::Event, AttemptStatus::Failure) => {
                let latest = self.exhausted.entry(target).or_insert(outcome);
                if latest.delivery.epoch < outcome.delivery.epoch {
                    *latest = outcome;
                }
            }
            _ => {}
        }
    }

    async fn carry_out(
        self,
        tx: &impl ConnectionTrait,
        mut targets: HashMap<TargetId, target::Model>,
        terms: &Terms<'_>,
    ) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for (id, outcome) in self.exhausted {
            // What was queued before an earlier deactivation has had its consequence.
            let is_concerned = |target: &&target::Model| {
                target.status == TargetStatus::Active && target.epoch == outcome.delivery.epoch
            };
            if let Some(target) = targets.get(id).filter(is_concerned) {
                let target = deactivate(tx, target.clone(), outcome, terms).await?;
                targets.insert(id.clone(), target.clone());
                changes.push(Change { target, outcome: outcome.clone() });
            }
        }
        for (id, outcome) in &self.verified {
            if let Some(target) = pending(&targets, id) {
                let target = targets::set_status(tx, target, TargetStatus::Active, terms.now).await?;
                changes.push(Change { target, outcome: (*outcome).clone() });
            }
        }
        for (id, outcome) in self.unverified.iter().filter(|(id, _)| !self.verified.contains_key(*id)) {
            // A target that was never active stays pending and can be activated by hand (T4).
            if let Some(target) = pending(&targets, id).filter(|target| target.activated_at.is_some())
                && !is_being_activated(tx, id).await?
            {
                let status = TargetStatus::ActivationFailed;
                let target = targets::set_status(tx, target, status, terms.now).await?;
                changes.push(Change { target, outcome: (*outcome).clone() });
            }
        }
        Ok(changes)
    }
}

fn pending(targets: &HashMap<TargetId, target::Model>, id: &TargetId) -> Option<target::Model> {
    targets.get(id).filter(|target| target.status == TargetStatus::PendingVerification).cloned()
}

/// One delivery failed all its attempts: its target receives nothing more (D3).
async fn deactivate(
    tx: &impl ConnectionTrait,
    target: target::Model,
    outcome: &Outcome,
    terms: &Terms<'_>,
) -> Result<target::Model> {
    if let (Some(email), Some(conditions)) =
        (target.email.as_deref().filter(|_| target.environment.keeps_email()), &terms.mails)
    {
        let mail = mail::deactivated(&mail::Deactivation {
            target_name: &target.name,
            target_id: &target.id,
            uri: &target.uri,
            event_id: &outcome.delivery.event_id,
            attempts: outcome.number(),
            reason: outcome.attempt.failure_reason,
            response_code: outcome.attempt.response_code,
            at: terms.now,
            conditions,
        });
        mails::add(tx, email, mail, &target.id, terms.now).await?;
    }
    targets::set_status(tx, target, TargetStatus::Deactivated, terms.now).await
}

async fn is_being_activated(tx: &impl ConnectionTrait, target: &TargetId) -> Result<bool> {
    let waiting = delivery::Entity::find()
        .filter(delivery::Column::TargetId.eq(target))
        .filter(delivery::Column::DueAt.is_not_null())
        .filter(delivery::Column::Purpose.eq(Purpose::Activation));
    Ok(waiting.count(tx).await? > 0)
}
