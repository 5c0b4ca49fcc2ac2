//! The figures of a run, for people.

use std::fmt::Write as _;
use std::time::Duration;

use crate::chaos::{Kind, Toll};
use crate::ledger::Receipts;
use crate::plan::Plan;
use crate::publisher::Calls;
use crate::server::Site;
use crate::verdict::Verdict;

/// Complaints that are rarer are not told.
const LOUDEST: usize = 8;

/// A run that has ended.
pub struct Run<'a> {
    pub plan: &'a Plan,
    pub calls: &'a Calls,
    pub toll: &'a Toll,
    pub ledger: &'a Receipts,
    pub verdict: &'a Verdict,
    /// How long the last deliveries took when nothing broke any more.
    pub settled_in: Duration,
}

/// A line for each figure.
pub fn table(run: &Run) -> String {
    let broken = |kind| broken_for(run.toll, kind).count();
    let longest = |kind| broken_for(run.toll, kind).max().unwrap_or_default();
    let Run { calls, toll, ledger, verdict, .. } = run;
    let acknowledged: usize = calls.made.iter().filter_map(|call| Some(call.events.as_ref()?.len())).sum();
    let figures = [
        ("seconds", run.plan.time.as_secs().to_string()),
        ("servers killed", broken(Kind::Kill).to_string()),
        ("servers held beyond their lease", broken(Kind::Hold).to_string()),
        ("database crashes", broken(Kind::Database).to_string()),
        ("servers that ended by themselves", toll.gave_up.to_string()),
        ("starts refused without a database", toll.refused.to_string()),
        ("last servers that did not end well", toll.bad_ends.to_string()),
        ("events acknowledged", acknowledged.to_string()),
        ("events recorded, but not acknowledged", verdict.unacknowledged.to_string()),
        ("calls without a good answer", calls.failures.to_string()),
        ("deliveries succeeded", verdict.succeeded.to_string()),
        ("deliveries failed", verdict.failed.to_string()),
        ("deliveries skipped", verdict.skipped.to_string()),
        ("attempts recorded", verdict.attempts.to_string()),
        ("notifications received", ledger.all.len().to_string()),
        ("  of them with a wrong signature", ledger.forged.to_string()),
        ("  of them not recorded", verdict.unrecorded.to_string()),
        ("  of them duplicates", verdict.duplicates.to_string()),
        ("  of these without a cause", verdict.unexplained.to_string()),
        ("lost", verdict.lost.to_string()),
        ("slowest start", format!("{:.1?}", toll.slowest_start)),
        ("longest time without the database", format!("{:.1?}", longest(Kind::Database))),
        ("slowest acknowledgement", format!("{:.1?}", calls.longest)),
        ("longest silence of all receivers", format!("{:.1?}", ledger.silence)),
        ("furthest stamp from the future", format!("{:.1?}", ledger.ahead)),
        ("until the last delivery had ended", format!("{:.1?}", run.settled_in)),
    ];
    let mut text = String::new();
    for (name, figure) in figures {
        writeln!(text, "  {name:40}{figure:>10}").unwrap();
    }
    text
}

fn broken_for(toll: &Toll, kind: Kind) -> impl Iterator<Item = Duration> {
    let of_kind = toll.interruptions.iter().filter(move |broken| broken.kind == kind);
    of_kind.map(|broken| broken.until.since(broken.from))
}

/// What the servers' log complains about most.
pub fn complaints(site: &Site) -> String {
    let mut complaints: Vec<_> = site.complaints().into_iter().collect();
    complaints.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut text = String::from("  the servers' log:\n");
    for (complaint, count) in complaints.iter().take(LOUDEST) {
        writeln!(text, "  {count:>7} × {complaint}").unwrap();
    }
    text
}
