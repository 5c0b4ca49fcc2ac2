//! The one place that writes to the standard output.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write, stdout};

use anyhow::Context;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use crate::rules::text::is_unprintable;

/// How what a command has to say is shown.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// Prints JSON, for scripts.
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Prints the rows.
    pub(crate) fn print(&self, table: &Table) -> anyhow::Result<()> {
        say(if self.json { table.to_json() } else { table.to_text() }.trim_end())
    }

    /// Prints rows that are shown this once. They are made already, so whoever cannot be shown them is told
    /// `what` it is, and what to do.
    pub(crate) fn show_once(&self, table: &Table, what: &str) -> anyhow::Result<()> {
        let text = if self.json { table.to_json() } else { table.to_text() };
        writeln!(stdout(), "{}", text.trim_end()).with_context(|| what.to_owned())
    }

    /// Prints what was done: a text for people, a value for scripts.
    pub(crate) fn report(&self, text: &str, value: &Value) -> anyhow::Result<()> {
        if self.json { say(&value.to_string()) } else { say(text) }
    }

    /// Prints a remark about the rows, for people only.
    pub(crate) fn remark(&self, text: &str) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { say(&format!("\n{text}")) }
    }
}

/// Prints a line.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    match writeln!(stdout(), "{line}") {
        // Whoever read it has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the standard output takes nothing"),
    }
}

/// Rows under names of columns. A cell may be empty.
#[derive(Debug)]
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// Rows with a cell for each column.
    pub(crate) fn new(
        columns: &'static [&'static str],
        rows: impl IntoIterator<Item = Vec<Option<String>>>,
    ) -> Self {
        Self { columns, rows: rows.into_iter().collect() }
    }

    fn to_text(&self) -> String {
        let heads = self.columns.iter().map(|column| column.to_uppercase()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| shown(cell.as_deref())).collect());
        let lines: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = String::new();
        for line in &lines {
            // Formatting would fill up by characters, of which a terminal shows some in two columns, some in none.
            let filled_up =
                |(cell, &width): (&String, &usize)| cell.clone() + &" ".repeat(width - cell.width());
            let line = line.iter().zip(&widths).map(filled_up).collect::<Vec<_>>().join("  ");
            writeln!(text, "{}", line.trim_end()).expect("a string takes everything");
        }
        text
    }

    fn to_json(&self) -> String {
        let object = |row: &Vec<Option<String>>| {
            let names = self.columns.iter().map(|&column| column.to_owned());
            Value::Object(names.zip(row.iter().map(|cell| cell.clone().into())).collect::<Map<_, _>>())
        };
        Value::Array(self.rows.iter().map(object).collect()).to_string()
    }
}

/// Names were given by strangers, and a terminal obeys control characters.
fn shown(cell: Option<&str>) -> String {
    cell.unwrap_or("-").chars().map(|c| if is_unprintable(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let cell = |text: &str| Some(text.to_owned());
        Table::new(
            &["id", "name", "revoked"],
            [
                vec![cell("key_1"), cell("Büro \u{1b}[2J"), None],
                vec![cell("key_22"), cell("a"), cell("2026-01-01")],
            ],
        )
    }

    #[test]
    fn people_see_columns() {
        let text = "ID      NAME       REVOKED\nkey_1   Büro \u{fffd}[2J  -\nkey_22  a          2026-01-01\n";
        assert_eq!(table().to_text(), text);
    }

    #[test]
    fn columns_stay_under_each_other_whatever_a_name_is_written_in() {
        let names = ["Company", "株式会社", "🎉 Party", "Cafe\u{301}", "नमस्ते"];
        let row = |name: &str| vec![Some(name.to_owned()), Some("org_1".to_owned())];
        let text = Table::new(&["name", "id"], names.map(row)).to_text();
        let columns =
            text.lines().map(|line| line.split_at(line.find("org_1").unwrap_or(line.len() - 2)).0.width());
        assert_eq!(columns.collect::<Vec<_>>(), [10; 6], "{text}");
        let padded = ["Company   org_1", "株式会社  org_1", "🎉 Party  org_1", "Cafe\u{301}      org_1"];
        assert_eq!(text.lines().skip(1).take(4).collect::<Vec<_>>(), padded);
    }

    #[test]
    fn scripts_get_objects() {
        let json = r#"[{"id":"key_1","name":"Büro \u001b[2J","revoked":null},{"id":"key_22","name":"a","revoked":"2026-01-01"}]"#;
        assert_eq!(table().to_json(), json);
    }
}
