//! Gathers figures, and shows each as median and spread.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

/// What was measured, by scenario and figure, one value a round.
#[derive(Debug, Default)]
pub struct Report {
    figures: BTreeMap<(String, String), Vec<f64>>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    scenario: &'a str,
    figure: &'a str,
    median: f64,
    least: f64,
    most: f64,
    rounds: usize,
}

impl Report {
    /// Adds the value of one round, and says it at once.
    pub fn add(&mut self, scenario: &str, figure: &str, value: f64) {
        say(&format!("{scenario:<28} {figure:<38} {value:>12.3}"));
        self.figures.entry((scenario.to_owned(), figure.to_owned())).or_default().push(value);
    }

    /// The median of a figure so far.
    pub fn median(&self, scenario: &str, figure: &str) -> Option<f64> {
        self.figures.get(&(scenario.to_owned(), figure.to_owned())).map(|values| median(values))
    }

    /// Prints the table, and writes it as JSON.
    pub fn write(&self, json: &Path) -> anyhow::Result<()> {
        say(
            "\nscenario                     figure                                       median        least         most",
        );
        let rows: Vec<Row<'_>> =
            self.figures.iter().map(|((scenario, figure), values)| row(scenario, figure, values)).collect();
        for row in &rows {
            let Row { scenario, figure, median, least, most, .. } = row;
            say(&format!("{scenario:<28} {figure:<38} {median:>12.3} {least:>12.3} {most:>12.3}"));
        }
        Ok(std::fs::write(json, serde_json::to_vec_pretty(&rows)?)?)
    }
}

fn row<'a>(scenario: &'a str, figure: &'a str, values: &[f64]) -> Row<'a> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Row { scenario, figure, median: median(values), least, most, rounds: values.len() }
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which the fraction `q` of the values lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index among as many values as there are"
)]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * q).round() as usize).copied().unwrap_or(f64::NAN)
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}
