//! Compares what was promised, what is recorded and what was received.
//!
//! It knows nothing of how the server works but its promises: whoever was told of an event may
//! count on one delivery to each target, and on a cause for whatever came twice.

use std::collections::HashMap;
use std::time::Duration;

use entity::{AttemptStatus, DeliveryState, NotificationEventName, delivery, event};
use sea_orm::{EntityTrait as _, PaginatorTrait as _};
use serde_json::Value;

use crate::analysis::Analysis;
use crate::faults::{Faults, Interruption, Kind};
use crate::history::{Receipt, Receipts};
use crate::observer;
use crate::publisher::{Call, Calls};
use crate::record::{Page, Trace, number};
use crate::targets::{Mood, Target};

/// How long an attempt may take to be recorded, once it was answered.
const RECORDING: Duration = Duration::from_secs(3);
/// Judges a run whose servers have ended.
pub(crate) async fn judge(
    url: &str,
    targets: &[Target],
    calls: &Calls,
    history: &Receipts,
    faults: &Faults,
) -> Analysis {
    let db = observer::connect(url).await;
    let mut checker = Checker {
        targets,
        interruptions: &faults.interruptions,
        receipts: &history.all,
        promised: promises(&calls.made),
        deliveries: 0,
        made: HashMap::new(),
        analysis: Analysis::default(),
    };
    checker.analysis.judge_run(history, faults);
    if calls.unseen > 0 {
        checker.analysis.lose("acknowledged events that another connection did not see", calls.unseen);
    }
    if faults.missing > 0 {
        checker
            .analysis
            .lose("acknowledged events that were not there after something broke", faults.missing);
    }
    let mut last = None;
    while let Some(page) = Page::after(&db, last).await {
        page.events.iter().for_each(|event| checker.judge(event, &page));
        last = page.events.last().map(|event| event.id.clone());
    }
    let all = delivery::Entity::find().count(&db).await.unwrap();
    checker.close(&calls.made, all)
}

/// The call of each event that was acknowledged.
fn promises(calls: &[Call]) -> HashMap<u128, u64> {
    let events =
        |call: &Call| call.events.iter().flatten().map(|event| (*event, call.number)).collect::<Vec<_>>();
    calls.iter().flat_map(events).collect()
}

struct Checker<'a> {
    targets: &'a [Target],
    interruptions: &'a [Interruption],
    /// In order; what was judged is cut off.
    receipts: &'a [Receipt],
    promised: HashMap<u128, u64>,
    /// How many deliveries belong to an event.
    deliveries: u64,
    /// How many events of each call exist.
    made: HashMap<u64, u64>,
    analysis: Analysis,
}

impl Checker<'_> {
    fn judge(&mut self, event: &event::Model, page: &Page) {
        let deliveries = page.deliveries(&event.id);
        self.deliveries += deliveries.len() as u64;
        let attempts = page.attempts(&event.id);
        if event.name == Some(NotificationEventName::NotificationActivation.into()) {
            return;
        }
        self.judge_event(event);
        self.analysis.attempts += attempts.len() as u64;
        let id = number(event.id.as_str());
        let receipts = self.take_receipts(id);
        for (place, target) in self.targets.iter().enumerate() {
            let Some(row) = deliveries.iter().find(|row| row.target_id.as_str() == target.id) else {
                self.analysis.lose("no delivery to a target", &event.id);
                continue;
            };
            let attempts = attempts.iter().filter(|row| row.target_id.as_str() == target.id).collect();
            let receipts = receipts.iter().filter(|receipt| usize::from(receipt.target) == place);
            let receipts = receipts.copied().collect();
            self.judge_delivery(target.mood, row, &Trace { attempts, receipts });
        }
    }

    fn judge_event(&mut self, event: &event::Model) {
        let node: Value = serde_json::from_str(&event.node).unwrap();
        let call = node["call"].as_u64().unwrap();
        self.analysis.events += 1;
        *self.made.entry(call).or_default() += 1;
        match self.promised.remove(&number(event.id.as_str())) {
            Some(promised) if promised == call => {}
            Some(_) => self.analysis.object("the event of another call was acknowledged", &event.id),
            None => self.analysis.unacknowledged += 1,
        }
    }

    fn judge_delivery(&mut self, mood: Mood, row: &delivery::Model, trace: &Trace) {
        let name = format!("{} to {}", row.event_id, row.target_id);
        let end = format!("{name} is {:?}", row.state);
        let is_traced = match row.state {
            DeliveryState::Succeeded => trace.receipts.iter().any(|receipt| receipt.is_accepted),
            DeliveryState::Failed => trace.has(AttemptStatus::Failure),
            DeliveryState::Skipped => trace.has(AttemptStatus::Skipped),
            DeliveryState::Waiting | DeliveryState::Claimed | DeliveryState::Replayed => false,
        };
        if row.due_at.is_some() {
            self.analysis.unfinished += 1;
            self.analysis.lose("a delivery that has not ended", &end);
        } else if !is_traced {
            self.analysis.lose("an end without a trace", &end);
        } else if (row.state == DeliveryState::Succeeded) == (mood == Mood::Doomed) {
            self.analysis.object("an end that its target cannot have caused", &end);
        }
        self.analysis.count(row.state);
        self.judge_attempts(trace, &name);
        self.judge_receipts(trace, &name);
    }

    fn judge_attempts(&mut self, trace: &Trace, name: &str) {
        let mut successes = trace.attempts.iter().filter(|row| row.status == AttemptStatus::Success);
        if successes.any(|attempt| trace.receipt_of(attempt).is_none()) {
            self.analysis.object("a success that nobody received", name);
        }
    }

    /// What comes again after it was accepted is a duplicate. Either the earlier one was in flight
    /// when something broke, or the later one was sent by somebody who had been held.
    fn judge_receipts(&mut self, trace: &Trace, name: &str) {
        let unrecorded = trace.receipts.iter().filter(|receipt| trace.record_of(receipt).is_none());
        self.analysis.unrecorded += unrecorded.count() as u64;
        let accepted: Vec<&Receipt> = trace
            .receipts
            .iter()
            .filter(|receipt| receipt.is_accepted)
            .filter(|receipt| trace.record_of(receipt) != Some(AttemptStatus::Failure))
            .collect();
        for pair in accepted.windows(2) {
            let (first, again) = (pair[0], pair[1]);
            self.analysis.duplicates += 1;
            if !self.was_cut_off(first, trace.record_of(first).is_some()) && !self.was_held(again) {
                self.analysis.unexplained += 1;
                let (by, after) = (first.sender, again.stamp.since(first.stamp));
                let example = format!("{name}, from {by} and {after:?} later from {}", again.sender);
                self.analysis.object("a duplicate without a cause", example);
            }
        }
    }

    /// Whether something broke before the attempt could be recorded; or if it was, before it was in time.
    fn was_cut_off(&self, receipt: &Receipt, is_recorded: bool) -> bool {
        self.interruptions.iter().any(|broken| {
            let answered_at = receipt.stamp + Duration::from_millis(receipt.answered_after.into());
            let is_near = broken.from <= answered_at + RECORDING && broken.until >= receipt.stamp;
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
        self.analysis.object_to_strangers(before);
        self.receipts = rest;
        of_event.to_vec()
    }

    /// What is left over: promises without an event, calls that were cut in two.
    fn close(mut self, calls: &[Call], deliveries: u64) -> Analysis {
        for (event, call) in std::mem::take(&mut self.promised) {
            self.analysis
                .lose("an acknowledged event that does not exist", format!("{event:x} of call {call}"));
        }
        self.analysis.object_to_strangers(self.receipts);
        if deliveries != self.deliveries {
            self.analysis.lose("deliveries without an event", deliveries.abs_diff(self.deliveries));
        }
        if !calls.iter().any(|call| call.events.is_some()) {
            self.analysis.object("nothing was acknowledged", calls.len());
        }
        for call in calls {
            let told = call.events.as_ref().map_or(call.size, |events| events.len() as u64);
            let made = self.made.remove(&call.number).unwrap_or_default();
            if told != call.size || made != call.size && (made != 0 || call.events.is_some()) {
                let example = format!("{made} events of call {} with {}", call.number, call.size);
                self.analysis.object("a call that was not recorded once and whole", example);
            }
        }
        self.analysis
    }
}

fn concerns(broken: &Interruption, receipt: &Receipt) -> bool {
    broken.server.is_none_or(|server| server == receipt.sender)
}
