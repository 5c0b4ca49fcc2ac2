//! Shows a report: as Markdown for people, as JSON for machines.

use std::io::Write;

use serde_json::json;

use crate::database::Database;
use crate::goals;
use crate::machine::Facts;
use crate::options::Options;
use crate::report::{Figure, Report};
use crate::statistics::{median, spread};

/// Prints the facts, the goals, and all figures.
pub(crate) fn show(facts: &Facts, report: &Report) {
    let mut lines = vec!["## The machine".to_owned(), String::new()];
    lines.extend(facts.iter().map(|(name, value)| format!("- {name}: {value}")));
    lines.extend(goals_of(report));
    lines.extend(all_of(report));
    if !report.failures.is_empty() {
        lines.extend(["", "## What could not be measured", ""].map(str::to_owned));
        lines.extend(report.failures.iter().map(|failure| format!("- {failure}")));
    }
    writeln!(std::io::stdout(), "{}", lines.join("\n")).ok();
}

fn goals_of(report: &Report) -> Vec<String> {
    let marked = report.figures.iter().filter_map(|figure| Some((goals::marks(figure)?, figure)));
    let mut rows: Vec<_> = marked
        .map(|((place, marks), figure)| {
            let Marked { name, measured } = Marked::of(figure);
            let (sign, must, aim) = (marks.sign(), marks.must, marks.aim);
            let verdict = marks.verdict(&figure.values);
            let row = format!("| {name} | {measured} | {sign} {must} | {sign} {aim} | {verdict} |");
            (place, database(figure), row)
        })
        .collect();
    rows.sort();
    if rows.is_empty() {
        return Vec::new();
    }
    let head = ["", "## Goals", "", "| what | database | median | least – most | n | must | aim | |"];
    let head = head.map(str::to_owned).into_iter().chain(["|---|---|--:|--:|--:|--:|--:|---|".to_owned()]);
    head.chain(rows.into_iter().map(|(.., row)| row)).collect()
}

fn all_of(report: &Report) -> Vec<String> {
    let head = ["", "## All figures", "", "| what | database | median | least – most | n |"];
    let head = head.map(str::to_owned).into_iter().chain(["|---|---|--:|--:|--:|".to_owned()]);
    let rows = report.figures.iter().map(|figure| {
        let Marked { name, measured } = Marked::of(figure);
        format!("| {name} | {measured} |")
    });
    head.chain(rows).collect()
}

/// The cells that both tables have.
struct Marked {
    name: String,
    measured: String,
}

impl Marked {
    fn of(figure: &Figure) -> Self {
        let (least, most) = spread(&figure.values);
        let [median, least, most] = [median(&figure.values), least, most].map(rounded);
        let count = figure.values.len();
        Self {
            name: format!("{}: {} | {}", figure.scenario, figure.name, database(figure)),
            measured: format!("{median} | {least} – {most} | {count}"),
        }
    }
}

fn database(figure: &Figure) -> &'static str {
    figure.database.map_or("", Database::name)
}

/// With as many digits as mean something.
fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Everything, each sample of it.
pub(crate) fn json(facts: &Facts, options: &Options, report: &Report) -> anyhow::Result<Vec<u8>> {
    let figures: Vec<_> = report
        .figures
        .iter()
        .map(|figure| {
            let (least, most) = spread(&figure.values);
            let marks = goals::marks(figure).map(|(_, marks)| marks);
            json!({
                "database": figure.database, "scenario": figure.scenario, "figure": figure.name,
                "median": median(&figure.values), "least": least, "most": most, "values": figure.values,
                "must": marks.map(|marks| marks.must), "aim": marks.map(|marks| marks.aim),
            })
        })
        .collect();
    let facts: serde_json::Map<_, _> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let all = json!({ "machine": facts, "options": options, "figures": figures, "samples": report.samples,
                     "failures": report.failures });
    Ok(serde_json::to_vec_pretty(&all)?)
}
