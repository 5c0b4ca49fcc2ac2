//! What the comparison of promises, records and receipts has found.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use entity::DeliveryState;

use crate::faults::Faults;
use crate::history::{Receipt, Receipts};

/// How far the clocks of servers, database and receivers may differ: all are on this machine.
const SKEW: Duration = Duration::from_millis(100);
/// How many examples of one problem are told.
const EXAMPLES: usize = 3;

/// What the comparison has found.
#[derive(Default)]
pub(crate) struct Analysis {
    pub events: u64,
    /// Events that exist though nobody was told so.
    pub unacknowledged: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub skipped: u64,
    pub unfinished: u64,
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

impl Analysis {
    pub(crate) fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Judges what was broken and how that went, before any delivery.
    pub(crate) fn judge_run(&mut self, history: &Receipts, faults: &Faults) {
        let servers = "servers that ended by themselves, or not when they were asked to";
        let returns = "servers that were not ready again when their database was";
        for (problem, count) in [
            ("wrong signatures", history.forged),
            (servers, (faults.gave_up + faults.bad_ends).into()),
            (returns, faults.never_ready.into()),
        ] {
            if count > 0 {
                self.object(problem, count);
            }
        }
        for kind in &faults.intended {
            if faults.broken(*kind).next().is_none() {
                self.object("nothing of this kind was broken", format!("{kind:?}"));
            }
        }
        if history.ahead > SKEW {
            self.object("a stamp from the future", format!("one by {:?}", history.ahead));
        }
    }

    pub(crate) fn count(&mut self, end: DeliveryState) {
        match end {
            DeliveryState::Succeeded => self.succeeded += 1,
            DeliveryState::Failed => self.failed += 1,
            DeliveryState::Skipped => self.skipped += 1,
            DeliveryState::Waiting | DeliveryState::Claimed | DeliveryState::Replayed => {}
        }
    }

    pub(crate) fn object(&mut self, problem: &'static str, example: impl fmt::Display) {
        self.problems.entry(problem).or_default().push(example.to_string());
    }

    pub(crate) fn object_to_strangers(&mut self, receipts: &[Receipt]) {
        for receipt in receipts {
            self.object("a receipt of no event", format!("{:x}", receipt.event));
        }
    }

    pub(crate) fn lose(&mut self, problem: &'static str, example: impl fmt::Display) {
        self.lost += 1;
        self.object(problem, example);
    }
}

impl fmt::Display for Analysis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (problem, examples) in &self.problems {
            let shown = &examples[..examples.len().min(EXAMPLES)];
            write!(f, "\n{} × {problem}, for example {}", examples.len(), shown.join("; "))?;
        }
        Ok(())
    }
}
