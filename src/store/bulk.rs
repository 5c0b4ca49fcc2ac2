//! Statements over many rows, written in few shapes.
//!
//! A database prepares a statement once for each text, so rows are cut into
//! pieces of a few fixed sizes. What is written here by hand is what builders of
//! statements would write anew, value by value, for each of the hot statements.

use std::fmt::Write;

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Iden, Iterable, ModelTrait, Statement, Value};

use crate::error::Result;

/// The sizes of the pieces, each a quarter of the one before. The largest binds fewer values
/// than SQLite takes (32,766), for any table.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// Cuts rows into pieces of fixed sizes, largest first.
pub fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

/// The places of so many rows of values, as the database writes them: `($1,$2),($3,$4)`, or
/// `(?,?),(?,?)` for SQLite, which takes long to look for numbers.
pub fn places(backend: DbBackend, rows: usize, columns: usize) -> String {
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

/// Executes `text` with these values; answers how many rows it changed.
pub async fn execute(tx: &impl ConnectionTrait, text: String, values: Vec<Value>) -> Result<u64> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// Inserts rows; `clause` may end the statement, to say what to do with those that are there.
pub async fn insert<E: EntityTrait>(
    tx: &impl ConnectionTrait,
    rows: &[E::Model],
    clause: &str,
) -> Result<()> {
    let names: Vec<_> = E::Column::iter().map(|column| column.to_string()).collect();
    let table = E::default().table_name().to_owned();
    for piece in pieces(rows) {
        let places = places(tx.get_database_backend(), piece.len(), names.len());
        let text = format!("INSERT INTO {table} ({}) VALUES {places} {clause}", names.join(","));
        let values = piece.iter().flat_map(|row| E::Column::iter().map(|column| row.get(column)));
        execute(tx, text, values.collect()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rows_is_cut_into_few_sizes() {
        for (rows, sizes) in
            [(0, vec![]), (1, vec![1]), (100, vec![64, 16, 16, 4]), (531, vec![256, 256, 16, 1, 1, 1])]
        {
            let rows: Vec<usize> = (0..rows).collect();
            let cut: Vec<&[usize]> = pieces(&rows).collect();
            assert_eq!(cut.iter().map(|piece| piece.len()).collect::<Vec<_>>(), sizes);
            assert_eq!(cut.concat(), rows);
        }
    }

    #[test]
    fn each_value_has_its_place() {
        assert_eq!(places(DbBackend::Postgres, 1, 1), "($1)");
        assert_eq!(places(DbBackend::Postgres, 2, 3), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(places(DbBackend::Sqlite, 2, 2), "(?,?),(?,?)");
    }
}
