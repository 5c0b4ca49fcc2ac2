//! Writes down how attempts ended and what follows: done, try again, give up.
//!
//! One transaction settles many outcomes with a fixed number of statements. What
//! an outcome decides counts only where its claim is still the latest; where it
//! is not, the attempt is recorded and somebody else decides.

use std::collections::{HashMap, HashSet};

use entity::delivery::Column;
use entity::{
    AttemptStatus, DeliveryState, Environment, EventId, Purpose, TargetId, TargetStatus, Timestamp, attempt,
    delivery, target,
};
use fail::fail_point;
use sea_orm::sea_query::{CommonTableExpression, Expr, ExprTrait, Query, Values, WithClause};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};

use crate::error::Result;
use crate::rules::mail;
use crate::rules::retry::Schedules;
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
}

/// What settling goes by.
#[derive(Debug)]
pub struct Terms<'a> {
    /// When failed deliveries are tried again.
    pub schedules: &'a Schedules,
    /// Whether deactivations are told by mail.
    pub sends_mail: bool,
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

/// Settles outcomes. Answers whether a target was deactivated, so that what waits for it has to be skipped.
pub async fn settle(tx: &impl ConnectionTrait, outcomes: &[Outcome], terms: &Terms<'_>) -> Result<bool> {
    let targets = hold_targets(tx, outcomes).await?;
    attempts::insert_all(tx, outcomes.iter().map(|outcome| outcome.attempt.clone()).collect()).await?;
    fail_point!("settling", |_| Err(anyhow::anyhow!("a fault was injected").into()));
    let verdicts: Vec<Verdict> = outcomes
        .iter()
        .map(|outcome| verdict(outcome, targets.get(&outcome.delivery.target_id), terms))
        .collect();
    let counted = apply(tx, outcomes, &verdicts).await?;
    let mut ends = Ends::default();
    for (outcome, verdict) in outcomes.iter().zip(&verdicts) {
        if verdict.due_at.is_none() && counted.contains(&key(&outcome.delivery)) {
            ends.add(outcome);
        }
    }
    ends.carry_out(tx, targets, terms).await
}

/// The targets on which an outcome may have consequences, held until they are written.
/// Successful deliveries of events have none, and do not wait for anybody.
async fn hold_targets(
    tx: &impl ConnectionTrait,
    outcomes: &[Outcome],
) -> Result<HashMap<TargetId, target::Model>> {
    let concerned: HashSet<&TargetId> = outcomes
        .iter()
        .filter(|outcome| {
            outcome.attempt.status == AttemptStatus::Failure
                || outcome.delivery.purpose == Purpose::Activation
        })
        .map(|outcome| &outcome.delivery.target_id)
        .collect();
    let rows = targets::lock_all(tx, concerned.into_iter().cloned().collect()).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
}

fn verdict(outcome: &Outcome, target: Option<&target::Model>, terms: &Terms<'_>) -> Verdict {
    let Outcome { delivery, environment, attempt } = outcome;
    let done = |state, succeeded| Verdict { state, due_at: None, attempts: delivery.attempts, succeeded };
    match attempt.status {
        AttemptStatus::Success => return done(DeliveryState::Succeeded, true),
        AttemptStatus::Skipped => return done(DeliveryState::Skipped, false),
        AttemptStatus::Failure => {}
    }
    let attempts = delivery.attempts + 1;
    let is_missed = target.is_none_or(|target| delivery.epoch < target.epoch);
    let backoff = terms.schedules.of(delivery.purpose, *environment);
    let pause = backoff.after(attempts.unsigned_abs(), (terms.random)()).filter(|_| !is_missed);
    match pause {
        Some(pause) => Verdict {
            state: DeliveryState::Waiting,
            due_at: Some(terms.now + pause),
            attempts,
            succeeded: false,
        },
        None => Verdict { attempts, ..done(DeliveryState::Failed, false) },
    }
}

type Key = (EventId, TargetId);

fn key(delivery: &delivery::Model) -> Key {
    (delivery.event_id.clone(), delivery.target_id.clone())
}

/// What a verdict is applied by, and what it sets.
const SETTLED: [Column; 7] = [
    Column::EventId,
    Column::TargetId,
    Column::Claim,
    Column::State,
    Column::DueAt,
    Column::Attempts,
    Column::Succeeded,
];

/// Writes the verdicts of those whose claim is still the latest, and answers which those are.
async fn apply(
    tx: &impl ConnectionTrait,
    outcomes: &[Outcome],
    verdicts: &[Verdict],
) -> Result<HashSet<Key>> {
    if outcomes.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = outcomes.iter().zip(verdicts).map(|(Outcome { delivery, .. }, verdict)| {
        Values(vec![
            delivery.event_id.clone().into(),
            delivery.target_id.clone().into(),
            delivery.claim.into(),
            verdict.state.into(),
            verdict.due_at.into(),
            verdict.attempts.into(),
            verdict.succeeded.into(),
        ])
    });
    let settled =
        CommonTableExpression::new().table_name("settled").columns(SETTLED).values(rows.collect()).to_owned();
    let of = |column: Column| Expr::col(("settled", column));
    let same = |column: Column| Expr::col((delivery::Entity, column)).eq(of(column));
    let update = Query::update()
        .table(delivery::Entity)
        .value(Column::State, of(Column::State))
        .value(Column::DueAt, of(Column::DueAt))
        .value(Column::Attempts, of(Column::Attempts))
        .value(Column::Succeeded, of(Column::Succeeded))
        .from("settled")
        .and_where(same(Column::EventId))
        .and_where(same(Column::TargetId))
        .and_where(same(Column::Claim))
        .returning(
            Query::returning()
                .columns([Column::EventId, Column::TargetId].map(|column| (delivery::Entity, column))),
        )
        .take();
    let statement = update.with(WithClause::new().cte(settled).to_owned());
    let rows = tx.query_all(&statement).await?;
    let key = |row: &sea_orm::QueryResult| Ok((row.try_get("", "event_id")?, row.try_get("", "target_id")?));
    Ok(rows.iter().map(key).collect::<Result<_, sea_orm::DbErr>>()?)
}

/// What the ends of deliveries mean for their targets.
#[derive(Default)]
struct Ends<'a> {
    verified: HashSet<&'a TargetId>,
    unverified: HashSet<&'a TargetId>,
    /// The first delivery of each target that failed all its attempts.
    exhausted: HashMap<&'a TargetId, &'a Outcome>,
}

impl<'a> Ends<'a> {
    fn add(&mut self, outcome: &'a Outcome) {
        let target = &outcome.delivery.target_id;
        match (outcome.delivery.purpose, outcome.attempt.status) {
            (Purpose::Activation, AttemptStatus::Success) => {
                self.verified.insert(target);
            }
            (Purpose::Activation, AttemptStatus::Failure) => {
                self.unverified.insert(target);
            }
            (Purpose::Event, AttemptStatus::Failure) => {
                self.exhausted.entry(target).or_insert(outcome);
            }
            _ => {}
        }
    }

    async fn carry_out(
        self,
        tx: &impl ConnectionTrait,
        mut targets: HashMap<TargetId, target::Model>,
        terms: &Terms<'_>,
    ) -> Result<bool> {
        let mut deactivated = false;
        for (id, outcome) in self.exhausted {
            if let Some(target) = targets.get(id).filter(|target| target.status == TargetStatus::Active) {
                let target = deactivate(tx, target.clone(), outcome, terms).await?;
                targets.insert(id.clone(), target);
                deactivated = true;
            }
        }
        for id in &self.verified {
            if let Some(target) = pending(&targets, id) {
                targets::set_status(tx, target, TargetStatus::Active, terms.now).await?;
            }
        }
        for id in self.unverified.difference(&self.verified) {
            // A target that was never active stays pending and can be activated by hand (T4).
            if let Some(target) = pending(&targets, id).filter(|target| target.activated_at.is_some())
                && !is_being_activated(tx, id).await?
            {
                targets::set_status(tx, target, TargetStatus::ActivationFailed, terms.now).await?;
            }
        }
        Ok(deactivated)
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
    if let Some(email) =
        target.email.as_deref().filter(|_| terms.sends_mail && target.environment.keeps_email())
    {
        let letter = mail::deactivated(&mail::Deactivation {
            target_name: &target.name,
            target_id: &target.id,
            uri: &target.uri,
            event_id: &outcome.delivery.event_id,
            attempts: outcome.delivery.attempts.unsigned_abs() + 1,
            reason: outcome.attempt.failure_reason,
            response_code: outcome.attempt.response_code,
            at: terms.now,
        });
        mails::add(tx, email, letter.subject, letter.body, terms.now).await?;
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
