//! Writes down how attempts ended and what follows, which `rules::settlement` decides.
//!
//! One transaction settles many outcomes with a fixed number of statements. What
//! an outcome decides counts only where its claim is still the latest; where it
//! is not, the attempt is recorded and somebody else decides.

use std::collections::{HashMap, HashSet};

use entity::{DeliveryState, EventId, Purpose, TargetId, Timestamp, delivery, target};
use fail::fail_point;
use sea_orm::{ActiveEnum, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, Value};

use crate::error::Result;
use crate::rules::mail::{self, Conditions};
use crate::rules::retry::{Backoff, Schedules};
use crate::rules::settlement::{self, Consequence, End, Outcome, Verdict};
use crate::store::bulk::{Column, Script};
use crate::store::claims::{self, claim_of};
use crate::store::{attempts, mails, targets};

/// A target whose status has changed, and what decided that.
#[derive(Debug)]
pub(crate) struct Change {
    /// The target as it is now.
    pub target: target::Model,
    /// The attempt that decided it.
    pub outcome: Outcome,
}

/// What settling goes by.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    /// When failed deliveries are tried again.
    pub schedules: &'a Schedules,
    /// What a mail about a deactivation tells of the settings; none: no mails are sent.
    pub mails: Option<Conditions>,
    /// Spreads the retries: each call answers a number from 0 to 1.
    pub random: fn() -> f64,
    /// The time of settling.
    pub now: Timestamp,
}

impl Terms<'_> {
    fn backoff_of(&self, outcome: &Outcome) -> &Backoff {
        self.schedules.of(outcome.delivery.purpose, outcome.environment)
    }

    fn end<'a>(&self, outcome: &'a Outcome) -> Option<End<'a>> {
        let consequence = settlement::consequence(outcome, self.backoff_of(outcome))?;
        Some(End { outcome, consequence })
    }

    fn verdict(&self, outcome: &Outcome, target: Option<&target::Model>) -> Verdict {
        let epoch = target.map(|target| target.epoch);
        settlement::verdict(outcome, epoch, self.backoff_of(outcome), (self.random)(), self.now)
    }
}

/// Settles outcomes. Answers whose status has changed: what waits for a target that was deactivated has to be
/// skipped.
pub(crate) async fn settle(
    tx: &impl ConnectionTrait,
    outcomes: &[Outcome],
    terms: &Terms<'_>,
) -> Result<Vec<Change>> {
    let mut ends: Vec<End<'_>> = outcomes.iter().filter_map(|outcome| terms.end(outcome)).collect();
    let targets = find_targets(tx, outcomes, &ends).await?;
    let verdicts: Vec<Verdict> = outcomes
        .iter()
        .map(|outcome| terms.verdict(outcome, targets.get(&outcome.delivery.target_id)))
        .collect();
    let claims = ends.iter().map(|end| claim_of(&end.outcome.delivery)).collect();
    let counted = claims::hold_to_decide(tx, claims).await?;
    write(tx, outcomes, &verdicts).await?;
    fail_point!("settling", |_| Err(anyhow::anyhow!("a fault was injected").into()));
    ends.retain(|end| counted.contains(&claim_of(&end.outcome.delivery)));
    carry_out(tx, ends, targets, terms).await
}

/// The targets that verdicts depend on. Those on which an outcome has consequences are held until
/// these are written; of the others only the epoch counts, and a deactivation that comes between
/// skips what was to be tried again.
async fn find_targets(
    tx: &impl ConnectionTrait,
    outcomes: &[Outcome],
    ends: &[End<'_>],
) -> Result<HashMap<TargetId, target::Model>> {
    let held: HashSet<&TargetId> = ends.iter().map(|end| &end.outcome.delivery.target_id).collect();
    let judged = outcomes.iter().filter(|outcome| outcome.depends_on_epoch());
    let read: HashSet<&TargetId> =
        judged.map(|outcome| &outcome.delivery.target_id).filter(|id| !held.contains(id)).collect();
    let mut rows = targets::lock_all(tx, held.into_iter().cloned().collect()).await?;
    rows.extend(targets::list(tx, read.into_iter().cloned().collect()).await?);
    Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
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

/// Changes the targets for which these ends mean something.
async fn carry_out(
    tx: &impl ConnectionTrait,
    ends: Vec<End<'_>>,
    mut targets: HashMap<TargetId, target::Model>,
    terms: &Terms<'_>,
) -> Result<Vec<Change>> {
    let mut of_targets: HashMap<&TargetId, Vec<End<'_>>> = HashMap::new();
    for end in ends {
        of_targets.entry(&end.outcome.delivery.target_id).or_default().push(end);
    }
    let mut changes = Vec::new();
    for (id, ends) in of_targets {
        let Some(target) = targets.remove(id) else { continue };
        let Some((End { outcome, consequence }, status)) = settlement::change(&ends, &target) else {
            continue;
        };
        match consequence {
            // Another activation, begun since, decides.
            Consequence::Unverified if is_being_activated(tx, id).await? => continue,
            Consequence::Verified | Consequence::Unverified => {}
            Consequence::Exhausted => tell_owner(tx, &target, outcome, terms).await?,
        }
        let target = targets::set_status(tx, target, status, terms.now).await?;
        changes.push(Change { target, outcome: outcome.clone() });
    }
    Ok(changes)
}

/// Writes the mail about a target that is deactivated because this delivery failed all its attempts (D3).
async fn tell_owner(
    tx: &impl ConnectionTrait,
    target: &target::Model,
    outcome: &Outcome,
    terms: &Terms<'_>,
) -> Result<()> {
    let email = target.email.as_deref().filter(|_| target.environment.keeps_email());
    let (Some(email), Some(conditions)) = (email, &terms.mails) else { return Ok(()) };
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
    mails::add(tx, email, mail, &target.id, terms.now).await
}

async fn is_being_activated(tx: &impl ConnectionTrait, target: &TargetId) -> Result<bool> {
    let waiting = delivery::Entity::find()
        .filter(delivery::Column::TargetId.eq(target))
        .filter(delivery::Column::DueAt.is_not_null())
        .filter(delivery::Column::Purpose.eq(Purpose::Activation));
    Ok(waiting.count(tx).await? > 0)
}
