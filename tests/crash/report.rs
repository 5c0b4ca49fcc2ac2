//! The figures of a run, for people: those of all its rounds together.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::analysis::Analysis;
use crate::faults::{Faults, Kind};
use crate::history::Receipts;
use crate::plan::Plan;
use crate::publisher::Calls;
use crate::server::Complaints;

/// Complaints that are rarer are not told.
const LOUDEST: usize = 8;

/// A round that has ended.
pub(crate) struct Round<'a> {
    pub plan: &'a Plan,
    pub calls: &'a Calls,
    pub faults: &'a Faults,
    pub history: &'a Receipts,
    pub analysis: &'a Analysis,
    /// How long the last deliveries took when nothing broke any more.
    pub settled_in: Duration,
}

/// What is added up over rounds, or of which the longest counts.
enum Figure {
    Count(u64),
    Longest(Duration),
}

/// All figures, and what the servers' logs complained about.
#[derive(Default)]
pub(crate) struct Report {
    figures: Vec<(&'static str, Figure)>,
    complaints: Complaints,
}

impl Report {
    pub(crate) fn add(&mut self, round: &Round, complaints: Complaints) {
        for (complaint, count) in complaints {
            *self.complaints.entry(complaint).or_default() += count;
        }
        let figures = figures(round);
        if self.figures.is_empty() {
            self.figures = figures;
            return;
        }
        for ((_, sum), (_, figure)) in self.figures.iter_mut().zip(figures) {
            match (sum, figure) {
                (Figure::Count(sum), Figure::Count(count)) => *sum += count,
                (Figure::Longest(longest), Figure::Longest(time)) => *longest = time.max(*longest),
                _ => unreachable!("figures come in one order"),
            }
        }
    }
}

fn figures(round: &Round) -> Vec<(&'static str, Figure)> {
    use Figure::{Count, Longest};
    let Round { calls, faults, history, analysis, .. } = round;
    let broken = |kind| Count(faults.broken(kind).count() as u64);
    let acknowledged: usize = calls.made.iter().filter_map(|call| Some(call.events.as_ref()?.len())).sum();
    vec![
        ("rounds", Count(1)),
        ("seconds", Count(round.plan.time.as_secs())),
        ("servers killed", broken(Kind::Kill)),
        ("  of them while they started", Count(faults.stumbles)),
        ("servers stopped beyond their lease", broken(Kind::Hold)),
        ("crashes of the database", broken(Kind::Database)),
        ("disks that took nothing for a while", broken(Kind::Disk)),
        ("  of them met by the server", Count(faults.refusals)),
        ("times that connections were cut", broken(Kind::Cut)),
        ("  connections cut in all", Count(faults.cuts)),
        ("events acknowledged", Count(acknowledged as u64)),
        ("  of them looked for after a break", Count(faults.looked_for)),
        ("events recorded, but not acknowledged", Count(analysis.unacknowledged)),
        ("calls without a good answer", Count(calls.failures)),
        ("deliveries succeeded", Count(analysis.succeeded)),
        ("deliveries failed", Count(analysis.failed)),
        ("deliveries skipped", Count(analysis.skipped)),
        ("deliveries without an end", Count(analysis.unfinished)),
        ("attempts recorded", Count(analysis.attempts)),
        ("notifications received", Count(history.all.len() as u64)),
        ("  of them with a wrong signature", Count(history.forged)),
        ("  of them not recorded", Count(analysis.unrecorded)),
        ("  of them duplicates", Count(analysis.duplicates)),
        ("duplicates without a cause", Count(analysis.unexplained)),
        ("lost", Count(analysis.lost)),
        ("servers that ended by themselves", Count(faults.gave_up.into())),
        ("last servers that did not end well", Count(faults.bad_ends.into())),
        ("slowest start", Longest(faults.slowest_start)),
        ("slowest to be ready after the database", Longest(faults.slowest_return)),
        (
            "longest time without the database",
            Longest(faults.broken(Kind::Database).max().unwrap_or_default()),
        ),
        ("slowest acknowledgement", Longest(calls.longest)),
        ("longest silence of all receivers", Longest(history.silence)),
        ("furthest stamp from the future", Longest(history.ahead)),
        ("until the last delivery had ended", Longest(round.settled_in)),
    ]
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => f.pad(&count.to_string()),
            Self::Longest(time) => f.pad(&format!("{time:.1?}")),
        }
    }
}

impl fmt::Display for Report {
    /// A line for each figure, then what the servers' logs complain about most.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, figure) in &self.figures {
            writeln!(f, "  {name:40}{figure:>10}")?;
        }
        writeln!(f, "  the servers' logs:\n{}", loudest(&self.complaints))
    }
}

fn loudest(complaints: &BTreeMap<String, u64>) -> String {
    let mut complaints: Vec<_> = complaints.iter().collect();
    complaints.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut text = String::new();
    for (complaint, count) in complaints.iter().take(LOUDEST) {
        writeln!(text, "  {count:>7} × {complaint}").unwrap();
    }
    text
}
