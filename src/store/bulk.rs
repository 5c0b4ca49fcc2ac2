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
const ROWS: usize = 256;

/// Statements over many rows that go to the database together, because each way there and back
/// costs as much as writing some dozens of rows. None of them may need what another one writes.
///
/// The first rows of all its tables go at once, then the next ones: so what goes together has few
/// shapes too.
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
        for number in 0.. {
            if rows.peek().is_none() {
                return;
            }
            if number == self.errands.len() {
                self.errands.push(Errand::default());
            }
            let Errand { texts, values } = &mut self.errands[number];
            let first = values.len();
            values.extend(rows.by_ref().take(ROWS).flatten());
            let empty: Vec<Value> = values[first..first + columns].iter().map(Value::as_null).collect();
            let count = ((values.len() - first) / columns).next_power_of_two();
            while values.len() < first + count * columns {
                values.extend_from_slice(&empty);
            }
            texts.push(text(&places(self.backend, first, count, columns)));
        }
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
        for (count, filled) in [(1, 1), (2, 2), (3, 4), (100, 128), (256, 256), (257, 256)] {
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
    fn the_first_rows_of_all_tables_go_together() {
        let errands = script(DbBackend::Sqlite, &[300, 3, 600]).errands;
        let rows = |errand: &Errand| errand.texts.iter().map(|text| text.matches('(').count()).collect();
        let rows: Vec<Vec<usize>> = errands.iter().map(rows).collect();
        assert_eq!(rows, [vec![256, 4, 256], vec![64, 256], vec![128]]);
    }

    #[test]
    fn postgres_gets_one_statement() {
        let text = |texts: &[&str]| together(&texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(text(&["a"]), "a");
        assert_eq!(text(&["a", "b", "c"]), "WITH part0 AS (a) , part1 AS (b) c");
    }
}
