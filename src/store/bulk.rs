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

/// Rows of values as the text of a statement has them, and the values.
#[derive(Debug)]
pub struct Rows {
    /// `($1,$2),($3,$4)`, or `(?,?),(?,?)` for SQLite, which takes long to look for numbers.
    pub places: String,
    values: Vec<Value>,
}

impl Rows {
    /// So many rows, [`ROWS`] at most and one at least, filled up with rows of nulls.
    pub fn new<const N: usize>(backend: DbBackend, rows: impl Iterator<Item = [Value; N]>) -> Self {
        Self::of(backend, rows.flatten().collect(), N)
    }

    fn of(backend: DbBackend, mut values: Vec<Value>, columns: usize) -> Self {
        let empty: Vec<Value> = values[..columns].iter().map(Value::as_null).collect();
        let rows = (values.len() / columns).next_power_of_two();
        while values.len() < rows * columns {
            values.extend_from_slice(&empty);
        }
        Self { places: places(backend, rows, columns), values }
    }

    /// Executes `text`, which has the places in it.
    pub async fn execute(self, tx: &impl ConnectionTrait, text: String) -> Result<()> {
        let statement = Statement::from_sql_and_values(tx.get_database_backend(), text, self.values);
        tx.execute_raw(statement).await?;
        Ok(())
    }
}

/// Inserts rows; `clause` may end the statement, to say what to do with those that are there.
pub async fn insert<E: EntityTrait>(
    tx: &impl ConnectionTrait,
    rows: &[E::Model],
    clause: &str,
) -> Result<()> {
    let names: Vec<_> = E::Column::iter().map(|column| column.to_string()).collect();
    let table = E::default().table_name().to_owned();
    for piece in rows.chunks(ROWS) {
        let values = piece.iter().flat_map(|row| E::Column::iter().map(|column| row.get(column)));
        let rows = Rows::of(tx.get_database_backend(), values.collect(), names.len());
        // The first column of every table is part of its key, which is null in empty rows only.
        let text = format!(
            "INSERT INTO {table} ({}) SELECT * FROM (VALUES {}) AS rows WHERE column1 IS NOT NULL {clause}",
            names.join(","),
            rows.places
        );
        rows.execute(tx, text).await?;
    }
    Ok(())
}

fn places(backend: DbBackend, rows: usize, columns: usize) -> String {
    let mut places = String::with_capacity(rows * columns * 6);
    for place in 0..rows * columns {
        places += match (place % columns, place) {
            (0, 0) => "(",
            (0, _) => "),(",
            _ => ",",
        };
        match backend {
            DbBackend::Sqlite => places.push('?'),
            _ => write!(places, "${}", place + 1).expect("a String takes whatever is written"),
        }
    }
    places + ")"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_filled_up_to_few_shapes() {
        let rows = |count: i32| {
            Rows::new(DbBackend::Sqlite, (0..count).map(|row| [Value::from(row), Value::from("text")]))
        };
        for (count, filled) in [(1, 1), (2, 2), (3, 4), (100, 128), (256, 256)] {
            assert_eq!(rows(count).values.len(), filled * 2, "{count}");
        }
        let three = rows(3).values;
        assert_eq!(three[4..], [Value::from(2), Value::from("text"), Value::Int(None), Value::String(None)]);
    }

    #[test]
    fn each_value_has_its_place() {
        assert_eq!(places(DbBackend::Postgres, 1, 1), "($1)");
        assert_eq!(places(DbBackend::Postgres, 2, 3), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(places(DbBackend::Sqlite, 2, 2), "(?,?),(?,?)");
    }
}
