//! Gathers figures, one value for each time they were measured.

use std::io::Write;

use serde::Serialize;

use crate::database::Database;
use crate::statistics::{median, quantile};

/// All that was measured, in order.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The figures.
    pub figures: Vec<Figure>,
    /// What some of the figures were made of, each value of it.
    pub samples: Vec<Samples>,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
}

/// One figure.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// The database, where there was one.
    pub database: Option<Database>,
    /// What was done.
    pub scenario: &'static str,
    /// What was measured, and its unit.
    pub name: String,
    /// Each time.
    pub values: Vec<f64>,
}

/// Every value of one measurement, in milliseconds or MiB.
#[derive(Debug, Serialize)]
pub(crate) struct Samples {
    database: Option<Database>,
    scenario: &'static str,
    name: String,
    values: Vec<f64>,
}

/// Where the figures of one scenario are added.
pub(crate) struct Scenario<'a> {
    report: &'a mut Report,
    database: Option<Database>,
    name: &'static str,
}

impl Report {
    /// Notes that something could not be measured, and says it at once.
    pub(crate) fn fail(&mut self, failure: String) {
        writeln!(std::io::stderr(), "FAILED: {failure}").ok();
        self.failures.push(failure);
    }

    /// A scenario, new or known.
    pub(crate) fn scenario(
        &mut self,
        database: impl Into<Option<Database>>,
        name: &'static str,
    ) -> Scenario<'_> {
        Scenario { database: database.into(), name, report: self }
    }
}

impl Scenario<'_> {
    /// Adds the value of one round, and says it at once.
    pub(crate) fn add(&mut self, figure: &str, value: f64) {
        let (database, scenario) = (self.database, self.name);
        let shown = database.map_or("", Database::name);
        writeln!(std::io::stderr(), "{shown:<10}  {scenario:<22}  {figure:<40}  {value:>12.3}").ok();
        let is_same = |known: &&mut Figure| {
            known.database == database && known.scenario == scenario && known.name == figure
        };
        match self.report.figures.iter_mut().find(is_same) {
            Some(known) => known.values.push(value),
            None => self.report.figures.push(Figure {
                database,
                scenario,
                name: figure.to_owned(),
                values: vec![value],
            }),
        }
    }

    /// Adds a value that not every database has.
    pub(crate) fn add_if(&mut self, figure: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.add(figure, value);
        }
    }

    /// Adds the quantiles of many values, and keeps the values.
    pub(crate) fn add_all(&mut self, what: &str, values: Vec<f64>) {
        self.add(&format!("{what} p50 ms"), median(&values));
        self.add(&format!("{what} p99 ms"), quantile(&values, 0.99));
        self.keep(what, values);
    }

    /// Keeps values that figures were made of.
    pub(crate) fn keep(&mut self, what: &str, values: Vec<f64>) {
        let (database, scenario) = (self.database, self.name);
        self.report.samples.push(Samples { database, scenario, name: what.to_owned(), values });
    }
}
