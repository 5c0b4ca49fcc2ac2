//! Compares what was promised, what is recorded and what was received.
//!
//! It knows nothing of how the server works but its promises: whoever was told of an event may
//! count on one delivery to each target, and on a cause for whatever came twice.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use entity::{AttemptStatus, DeliveryState, NotificationEventName, delivery, event};
use serde_json::Value;

use crate::chaos::{Interruption, Kind, Toll};
use crate::ledger::{Receipt, Receipts};
use crate::publisher::{Call, Calls};
use crate::record::{Page, Trace, number};
use crate::server::DEADLINE;
use crate::targets::{Mood, Target};
use crate::witness;

/// How long an attempt may take to be recorded, beyond its deadline.
const RECORDING: Duration = Duration::from_secs(2);
/// How far the clocks of servers, database and receivers may differ: all are on this machine.
const SKEW: Duration = Duration::from_millis(100);
/// How many examples of one problem are told.
const EXAMPLES: usize = 3;

/// What the comparison has found.
#[derive(Default)]
pub struct Verdict {
    pub events: u64,
    /// Events that exist though nobody was told so.
    pub unacknowledged: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub skipped: u64,
    pub attempts: u64,
    /// Notifications that were sent though no attempt is recorded.
    pub unrecorded: u64,
    /// Notifications that came again after they had been accepted.
    pub duplicates: u64,
    /// Those of them that nothing which was broken explains.
    pub unexplained: u64,
    /// Events or deliveries that were promised, but are not there, not ended or without a trace.
    pub lost: u64,
    problems: BTreeMap<&'static str, Vec<String>>,
}

impl Verdict {
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    fn judge_run(&mut self, ledger: &Receipts, toll: &Toll) {
        let servers = "servers that ended by themselves, or not when they were asked to";
        for (problem, count) in
            [("wrong signatures", ledger.forged), (servers, (toll.gave_up + toll.bad_ends).into())]
        {
            if count > 0 {
                self.object(problem, count);
            }
        }
        if ledger.ahead > SKEW {
            self.object("a stamp from the future", format!("one by {:?}", ledger.ahead));
        }
    }

    fn count(&mut self, end: DeliveryState) {
        match end {
            DeliveryState::Succeeded => self.succeeded += 1,
            DeliveryState::Failed => self.failed += 1,
            DeliveryState::Skipped => self.skipped += 1,
            DeliveryState::Waiting | DeliveryState::Claimed => {}
        }
    }

    fn object(&mut self, problem: &'static str, example: impl fmt::Display) {
        self.problems.entry(problem).or_default().push(example.to_string());
    }

    fn object_to_strangers(&mut self, receipts: &[Receipt]) {
        for receipt in receipts {
            self.object("a receipt of no event", format!("{:x}", receipt.event));
        }
    }

    fn lose(&mut self, problem: &'static str, example: impl fmt::Display) {
        self.lost += 1;
        self.object(problem, example);
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (problem, examples) in &self.problems {
            let shown = &examples[..examples.len().min(EXAMPLES)];
            write!(f, "\n{} × {problem}, for example {}", examples.len(), shown.join("; "))?;
        }
        Ok(())
    }
}

/// Judges a run whose servers have ended.
pub async fn reach(url: &str, targets: &[Target], calls: &Calls, ledger: &Receipts, toll: &Toll) -> Verdict {
    let db = witness::connect(url).await;
    let mut court = Court {
        targets,
        interruptions: &toll.interruptions,
        receipts: &ledger.all,
        promised: promises(&calls.made),
        made: HashMap::new(),
        verdict: Verdict::default(),
    };
    court.verdict.judge_run(ledger, toll);
    let mut last = None;
    while let Some(page) = Page::after(&db, last).await {
        page.events.iter().for_each(|event| court.judge(event, &page));
        last = page.events.last().map(|event| event.id.clone());
    }
    court.close(&calls.made)
}

/// The call of each event that was acknowledged.
fn promises(calls: &[Call]) -> HashMap<u128, u64> {
    let events =
        |call: &Call| call.events.iter().flatten().map(|event| (*event, call.number)).collect::<Vec<_>>();
    calls.iter().flat_map(events).collect()
}

struct Court<'a> {
    targets: &'a [Target],
    interruptions: &'a [Interruption],
    /// In order; what was judged is cut off.
    receipts: &'a [Receipt],
    promised: HashMap<u128, u64>,
    /// How many events of each call exist.
    made: HashMap<u64, u64>,
    verdict: Verdict,
}

impl Court<'_> {
    fn judge(&mut self, event: &event::Model, page: &Page) {
        let deliveries = page.deliveries(&event.id);
        let attempts = page.attempts(&event.id);
        if event.name == Some(NotificationEventName::NotificationActivation) {
            return;
        }
        self.judge_event(event);
        self.verdict.attempts += attempts.len() as u64;
        let id = number(event.id.as_str());
        let receipts = self.take_receipts(id);
        for (place, target) in self.targets.iter().enumerate() {
            let Some(row) = deliveries.iter().find(|row| row.target_id.as_str() == target.id) else {
                self.verdict.lose("no delivery to a target", &event.id);
                continue;
            };
            let attempts = attempts.iter().filter(|row| row.target_id.as_str() == target.id).collect();
            let receipts = receipts.iter().filter(|receipt| receipt.target == place).copied().collect();
            self.judge_delivery(target.mood, row, &Trace { attempts, receipts });
        }
    }

    fn judge_event(&mut self, event: &event::Model) {
        let node: Value = serde_json::from_str(&event.node).unwrap();
        let call = node["call"].as_u64().unwrap();
        self.verdict.events += 1;
        *self.made.entry(call).or_default() += 1;
        match self.promised.remove(&number(event.id.as_str())) {
            Some(promised) if promised == call => {}
            Some(_) => self.verdict.object("the event of another call was acknowledged", &event.id),
            None => self.verdict.unacknowledged += 1,
        }
    }

    fn judge_delivery(&mut self, mood: Mood, row: &delivery::Model, trace: &Trace) {
        let name = format!("{} to {}", row.event_id, row.target_id);
        let end = format!("{name} is {:?}", row.state);
        let is_traced = match row.state {
            DeliveryState::Succeeded => trace.receipts.iter().any(|receipt| receipt.is_accepted),
            DeliveryState::Failed => trace.has(AttemptStatus::Failure),
            DeliveryState::Skipped => trace.has(AttemptStatus::Skipped),
            DeliveryState::Waiting | DeliveryState::Claimed => false,
        };
        if row.due_at.is_some() {
            self.verdict.lose("a delivery that has not ended", &end);
        } else if !is_traced {
            self.verdict.lose("an end without a trace", &end);
        } else if (row.state == DeliveryState::Succeeded) == (mood == Mood::Doomed) {
            self.verdict.object("an end that its target cannot have caused", &end);
        }
        self.verdict.count(row.state);
        self.judge_attempts(trace, &name);
        self.judge_receipts(trace, &name);
    }

    fn judge_attempts(&mut self, trace: &Trace, name: &str) {
        let mut successes = trace.attempts.iter().filter(|row| row.status == AttemptStatus::Success);
        if successes.any(|attempt| trace.receipt_of(attempt).is_none()) {
            self.verdict.object("a success that nobody received", name);
        }
    }

    /// What comes again after it was accepted is a duplicate. Either the earlier one was in flight
    /// when something broke, or the later one was sent by somebody who had been held.
    fn judge_receipts(&mut self, trace: &Trace, name: &str) {
        let unrecorded = trace.receipts.iter().filter(|receipt| trace.record_of(receipt).is_none());
        self.verdict.unrecorded += unrecorded.count() as u64;
        let accepted: Vec<&Receipt> = trace
            .receipts
            .iter()
            .filter(|receipt| receipt.is_accepted)
            .filter(|receipt| trace.record_of(receipt) != Some(AttemptStatus::Failure))
            .collect();
        for pair in accepted.windows(2) {
            let (first, again) = (pair[0], pair[1]);
            self.verdict.duplicates += 1;
            if !self.was_cut_off(first, trace.record_of(first).is_some()) && !self.was_held(again) {
                self.verdict.unexplained += 1;
                let (by, after) = (first.sender, again.stamp.since(first.stamp));
                let example = format!("{name}, from {by} and {after:?} later from {}", again.sender);
                self.verdict.object("a duplicate without a cause", example);
            }
        }
    }

    /// Whether something broke before the attempt could be recorded; or if it was, before it was in time.
    fn was_cut_off(&self, receipt: &Receipt, is_recorded: bool) -> bool {
        self.interruptions.iter().any(|broken| {
            let is_near =
                broken.from <= receipt.stamp + DEADLINE + RECORDING && broken.until >= receipt.stamp;
            is_near && concerns(broken, receipt) && !(is_recorded && broken.kind == Kind::Kill)
        })
    }

    /// Whether its sender may have lost its claim before it began to send.
    fn was_held(&self, receipt: &Receipt) -> bool {
        self.interruptions.iter().any(|broken| {
            let is_near = broken.from <= receipt.stamp && broken.until + RECORDING >= receipt.stamp;
            is_near && concerns(broken, receipt) && broken.kind != Kind::Kill
        })
    }

    /// Cuts off the receipts of this event.
    fn take_receipts(&mut self, event: u128) -> Vec<Receipt> {
        let strangers = self.receipts.partition_point(|receipt| receipt.event < event);
        let count = self.receipts[strangers..].partition_point(|receipt| receipt.event == event);
        let (before, rest) = self.receipts.split_at(strangers);
        let (of_event, rest) = rest.split_at(count);
        self.verdict.object_to_strangers(before);
        self.receipts = rest;
        of_event.to_vec()
    }

    /// What is left over: promises without an event, calls that were cut in two.
    fn close(mut self, calls: &[Call]) -> Verdict {
        for (event, call) in std::mem::take(&mut self.promised) {
            self.verdict
                .lose("an acknowledged event that does not exist", format!("{event:x} of call {call}"));
        }
        self.verdict.object_to_strangers(self.receipts);
        for call in calls {
            let made = self.made.remove(&call.number).unwrap_or_default();
            if made != call.size && (made != 0 || call.events.is_some()) {
                let example = format!("{made} events of call {} with {}", call.number, call.size);
                self.verdict.object("a call that was not recorded once and whole", example);
            }
        }
        self.verdict
    }
}

fn concerns(broken: &Interruption, receipt: &Receipt) -> bool {
    broken.server.is_none_or(|server| server == receipt.sender)
}
