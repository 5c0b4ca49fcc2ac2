//! Statements over many rows, written in few shapes.
//!
//! A database prepares a statement once for each text, so rows are filled up with
//! empty ones to the next power of two. What is written here by hand is what
//! builders of statements would write anew, value by value, for each of the hot
//! statements.

use std::fmt::Write;

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Iden, Iterable, ModelTrait, Statement, Value};

use crate::error::Result;

/// How many rows one statement has at most: with no table it binds more values than SQLite takes
/// (32,766).
pub const ROWS: usize = 256;

/// How many values go to PostgreSQL at once: it takes 65,535.
const VALUES: usize = 32_768;

/// Statements over many rows that go to the database together, because each way there and back
/// costs as much as writing some dozens of rows. None of them may need what another one writes.
#[derive(Debug)]
pub struct Script {
    backend: DbBackend,
    errands: Vec<Errand>,
}

/// What goes to the database at once.
#[derive(Debug, Default)]
struct Errand {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Script {
    /// An empty script for the database behind `tx`.
    pub fn new(tx: &impl ConnectionTrait) -> Self {
        Self { backend: tx.get_database_backend(), errands: Vec::new() }
    }

    /// Inserts rows; `clause` may end the statement, to say what to do with those that are there.
    pub fn insert<'a, E: EntityTrait>(&mut self, rows: impl IntoIterator<Item = &'a E::Model>, clause: &str)
    where
        E::Model: 'a,
    {
        let names: Vec<_> = E::Column::iter().map(|column| column.to_string()).collect();
        let (table, columns) = (E::default().table_name().to_owned(), names.join(","));
        let rows = rows.into_iter().map(|row| E::Column::iter().map(|column| row.get(column)));
        // The first column of every table is part of its key, which is null in empty rows only.
        self.add(names.len(), rows, |places| {
            format!(
                "INSERT INTO {table} ({columns}) SELECT * FROM (VALUES {places}) AS rows \
                 WHERE column1 IS NOT NULL {clause}"
            )
        });
    }

    /// Adds statements over rows of so many values. `text` has their places in it: `($1,$2),($3,$4)`, or
    /// `(?,?),(?,?)` for SQLite, which takes long to look for numbers. Rows of nulls are among them.
    pub fn add<Row: IntoIterator<Item = Value>>(
        &mut self,
        columns: usize,
        rows: impl Iterator<Item = Row>,
        text: impl Fn(&str) -> String,
    ) {
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let values = rows.by_ref().take(ROWS).flatten().collect();
            self.add_piece(values, columns, &text);
        }
    }

    fn add_piece(&mut self, mut values: Vec<Value>, columns: usize, text: impl Fn(&str) -> String) {
        let empty: Vec<Value> = values[..columns].iter().map(Value::as_null).collect();
        let rows = (values.len() / columns).next_power_of_two();
        while values.len() < rows * columns {
            values.extend_from_slice(&empty);
        }
        let is_full = |errand: &Errand| errand.values.len() + values.len() > VALUES;
        if self.errands.last().is_none_or(is_full) {
            self.errands.push(Errand::default());
        }
        let errand = self.errands.last_mut().expect("there is one now");
        errand.texts.push(text(&places(self.backend, errand.values.len(), rows, columns)));
        errand.values.append(&mut values);
    }

    /// Executes it.
    pub async fn run(self, tx: &impl ConnectionTrait) -> Result<()> {
        for Errand { texts, values } in self.errands {
            let text = match self.backend {
                DbBackend::Sqlite => texts.join(";"),
                _ => together(&texts),
            };
            tx.execute_raw(Statement::from_sql_and_values(self.backend, text, values)).await?;
        }
        Ok(())
    }
}

/// PostgreSQL prepares a single statement only; it may have others within.
fn together(texts: &[String]) -> String {
    let (last, others) = texts.split_last().expect("a script has a statement");
    let mut text = String::new();
    for (number, other) in others.iter().enumerate() {
        let before = if number == 0 { "WITH" } else { "," };
        write!(text, "{before} part{number} AS ({other}) ").expect("a String takes whatever is written");
    }
    text + last
}

fn places(backend: DbBackend, first: usize, rows: usize, columns: usize) -> String {
    let mut places = String::with_capacity(rows * columns * 6);
    for place in 0..rows * columns {
        places += match (place % columns, place) {
            (0, 0) => "(",
            (0, _) => "),(",
            _ => ",",
        };
        match backend {
            DbBackend::Sqlite => places.push('?'),
            _ => write!(places, "${}", first + place + 1).expect("a String takes whatever is written"),
        }
    }
    places + ")"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(backend: DbBackend, counts: &[i32]) -> Script {
        let mut script = Script { backend, errands: Vec::new() };
        for count in counts {
            let rows = (0..*count).map(|row| [Value::from(row), Value::from("text")]);
            script.add(2, rows, |places| format!("VALUES {places}"));
        }
        script
    }

    #[test]
    fn rows_are_filled_up_to_few_shapes() {
        let values = |count| script(DbBackend::Sqlite, &[count]).errands.remove(0).values;
        for (count, filled) in [(1, 1), (2, 2), (3, 4), (100, 128), (256, 256), (257, 257), (300, 320)] {
            assert_eq!(values(count).len(), filled * 2, "{count}");
        }
        assert_eq!(
            values(3)[4..],
            [Value::from(2), Value::from("text"), Value::Int(None), Value::String(None)]
        );
    }

    #[test]
    fn each_value_has_its_place() {
        let texts = |backend, counts: &[i32]| script(backend, counts).errands.remove(0).texts;
        assert_eq!(texts(DbBackend::Sqlite, &[1, 2]), ["VALUES (?,?)", "VALUES (?,?),(?,?)"]);
        assert_eq!(texts(DbBackend::Postgres, &[1, 2]), ["VALUES ($1,$2)", "VALUES ($3,$4),($5,$6)"]);
        assert!(script(DbBackend::Postgres, &[0]).errands.is_empty());
    }

    #[test]
    fn postgres_gets_one_statement_and_no_more_values_than_it_takes() {
        let texts = |texts: &[&str]| together(&texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(texts(&["a"]), "a");
        assert_eq!(texts(&["a", "b", "c"]), "WITH part0 AS (a) , part1 AS (b) c");
        let errands = script(DbBackend::Postgres, &[20_000]).errands;
        assert!(errands.len() > 1);
        assert!(errands.iter().all(|errand| errand.values.len() <= VALUES));
    }
}
