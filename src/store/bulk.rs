//! Statements over many rows, written in few shapes.
//!
//! A database prepares a statement once for each text. PostgreSQL takes a column of rows as one
//! array, so that their number does not matter. SQLite has no arrays: there rows are filled up with
//! empty ones to the next power of two. What is written here by hand is what builders of
//! statements would write again, value by value, for each of the hot statements.

mod arrays;

use std::fmt::Write;

use anyhow::anyhow;
use sea_orm::sea_query::ArrayType;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, ModelTrait, Statement, Value};

use crate::error::{Error, Result};

/// How many rows one statement has at most. With no table, SQLite's binds more values than it takes
/// (32,766).
const ROWS_ON_SQLITE: usize = 256;
const ROWS_ON_POSTGRES: usize = 1_000;

/// Statements over many rows that go to the database together, because each way there and back
/// costs as much as writing some dozens of rows. None of them may need what another one writes.
///
/// The first rows of all its tables go at once, then the next ones: so what goes together has few
/// shapes too.
#[derive(Debug)]
pub struct Script {
    backend: DbBackend,
    batches: Vec<Batch>,
    /// Why it cannot be executed: a mistake of ours, which is the same on each database.
    mistake: Option<Error>,
}

/// What goes to the database at once.
#[derive(Debug, Default)]
struct Batch {
    texts: Vec<String>,
    values: Vec<Value>,
}

/// A column of such rows.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    name: &'static str,
    has_nulls: bool,
}

impl Column {
    /// A column in which every row has a value.
    pub const fn full(name: &'static str) -> Self {
        Self { name, has_nulls: false }
    }

    /// A column in which rows may have none.
    pub const fn with_nulls(name: &'static str) -> Self {
        Self { name, has_nulls: true }
    }

    fn of(column: &impl ColumnTrait) -> Self {
        Self { name: column.as_str(), has_nulls: column.def().is_null() }
    }
}

impl Script {
    /// An empty script for the database behind `tx`.
    pub fn new(tx: &impl ConnectionTrait) -> Self {
        Self { backend: tx.get_database_backend(), batches: Vec::new(), mistake: None }
    }

    /// Inserts rows; `clause` may end the statement, to say what to do with those that are there.
    pub fn insert<'a, E: EntityTrait>(&mut self, rows: impl IntoIterator<Item = &'a E::Model>, clause: &str)
    where
        E::Model: 'a,
    {
        let columns: Vec<Column> = E::Column::iter().map(|column| Column::of(&column)).collect();
        let (table, names) = (E::default().table_name().to_owned(), names(&columns));
        let rows = rows.into_iter().map(|row| E::Column::iter().map(|column| row.get(column)));
        // The first column of every table is part of its key, which is null in empty rows only.
        let key = columns[0].name;
        self.add(&columns, rows, |rows| {
            format!("INSERT INTO {table} ({names}) SELECT * FROM ({rows}) AS rows WHERE {key} IS NOT NULL {clause}")
        });
    }

    /// Adds statements over rows with these columns. `text` has them in it as a query. Rows of nulls may be
    /// among them.
    pub fn add<Row: IntoIterator<Item = Value>>(
        &mut self,
        columns: &[Column],
        rows: impl Iterator<Item = Row>,
        text: impl Fn(&str) -> String,
    ) {
        let mut rows = rows.peekable();
        for number in 0.. {
            if rows.peek().is_none() {
                return;
            }
            if number == self.batches.len() {
                self.batches.push(Batch::default());
            }
            let Batch { texts, values } = &mut self.batches[number];
            let query = match self.backend {
                DbBackend::Sqlite => value_by_value(columns, rows.by_ref().take(ROWS_ON_SQLITE), values),
                _ => as_arrays(columns, rows.by_ref().take(ROWS_ON_POSTGRES), values),
            };
            match query {
                Ok(query) => texts.push(text(&query)),
                Err(mistake) => {
                    self.mistake = Some(mistake);
                    return;
                }
            }
        }
    }

    /// Executes it.
    pub async fn run(self, tx: &impl ConnectionTrait) -> Result<()> {
        for statement in self.statements()? {
            tx.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// What it consists of, for those whose statements answer something.
    pub fn statements(self) -> Result<impl Iterator<Item = Statement>> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        Ok(self.batches.into_iter().map(move |Batch { texts, values }| {
            let text = match self.backend {
                DbBackend::Sqlite => texts.join(";"),
                _ => together(&texts),
            };
            Statement::from_sql_and_values(self.backend, text, values)
        }))
    }
}

/// PostgreSQL prepares a single statement only; it may have others within.
fn together(texts: &[String]) -> String {
    let (last, others) = texts.split_last().expect("a script has a statement");
    let mut text = String::new();
    for (number, other) in others.iter().enumerate() {
        let before = if number == 0 { "WITH" } else { "," };
        write!(text, "{before} part{number} AS ({other}) ").expect(arrays::STRINGS_TAKE_ALL);
    }
    text + last
}

/// What a statement looks for, filled up to a power of two with the last of it, which changes nothing:
/// so a list of any length has few shapes too.
pub(crate) fn filled_up<T: Clone>(sought: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut sought: Vec<T> = sought.into_iter().collect();
    if let Some(last) = sought.last().cloned() {
        sought.resize(sought.len().next_power_of_two(), last);
    }
    sought
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(",")
}

/// Rows for SQLite, which takes long to look for numbers of parameters: a `?` for each value.
fn value_by_value<Row: IntoIterator<Item = Value>>(
    columns: &[Column],
    rows: impl Iterator<Item = Row>,
    values: &mut Vec<Value>,
) -> Result<String> {
    let first = values.len();
    values.extend(rows.flatten());
    for (column, value) in columns.iter().zip(&values[first..]) {
        // SQLite takes other values too, but what is found here is not first found on PostgreSQL.
        type_of(column, value)?;
    }
    let empty: Vec<Value> = values[first..first + columns.len()].iter().map(Value::as_null).collect();
    let count = ((values.len() - first) / columns.len()).next_power_of_two();
    while values.len() < first + count * columns.len() {
        values.extend_from_slice(&empty);
    }
    let names: Vec<String> = columns
        .iter()
        .zip(1..)
        .map(|(column, number)| format!("column{number} AS {}", column.name))
        .collect();
    let row = format!("({})", vec!["?"; columns.len()].join(","));
    Ok(format!("SELECT {} FROM (VALUES {})", names.join(","), vec![row; count].join(",")))
}

/// Rows for PostgreSQL: a parameter for each column.
fn as_arrays<Row: IntoIterator<Item = Value>>(
    columns: &[Column],
    rows: impl Iterator<Item = Row>,
    values: &mut Vec<Value>,
) -> Result<String> {
    let mut arrays = vec![Vec::new(); columns.len()];
    for row in rows {
        for (array, value) in arrays.iter_mut().zip(row) {
            array.push(value);
        }
    }
    let mut places = Vec::with_capacity(columns.len());
    for (column, array) in columns.iter().zip(arrays) {
        let (of, name) = type_of(column, &array[0])?;
        let array = if column.has_nulls {
            arrays::literal(&array).into()
        } else {
            Value::Array(of, Some(array.into()))
        };
        values.push(array);
        places.push(format!("${}::{name}[]", values.len()));
    }
    Ok(format!("SELECT * FROM unnest({}) AS rows ({})", places.join(","), names(columns)))
}

fn type_of(column: &Column, value: &Value) -> Result<(ArrayType, &'static str)> {
    arrays::type_of(value)
        .ok_or_else(|| anyhow!("rows with a column like {} are not written in bulk", column.name).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [Column::full("id"), Column::with_nulls("note")];

    fn script(backend: DbBackend, counts: &[i32]) -> Script {
        let mut script = Script { backend, batches: Vec::new(), mistake: None };
        for count in counts {
            let rows = (0..*count).map(|row| [Value::from(row), Value::from("text")]);
            script.add(&COLUMNS, rows, str::to_owned);
        }
        script
    }

    #[test]
    fn rows_for_sqlite_are_filled_up_to_few_shapes() {
        let values = |count| script(DbBackend::Sqlite, &[count]).batches.remove(0).values;
        for (count, filled) in [(1, 1), (2, 2), (3, 4), (100, 128), (256, 256), (257, 256)] {
            assert_eq!(values(count).len(), filled * 2, "{count}");
        }
        assert_eq!(
            values(3)[4..],
            [Value::from(2), Value::from("text"), Value::Int(None), Value::String(None)]
        );
    }

    #[test]
    fn postgres_gets_arrays_of_any_length() {
        for count in [1, 3, 1_000] {
            let batch = script(DbBackend::Postgres, &[count]).batches.remove(0);
            assert_eq!(batch.texts, ["SELECT * FROM unnest($1::integer[],$2::text[]) AS rows (id,note)"]);
            let [Value::Array(_, Some(ids)), Value::String(Some(notes))] = &batch.values[..] else {
                panic!("{:?}", batch.values)
            };
            let lengths = [ids.len(), notes.matches("text").count()];
            assert_eq!(lengths.map(i32::try_from), [Ok(count); 2]);
        }
    }

    #[test]
    fn each_value_has_its_place() {
        let texts = |backend, counts: &[i32]| script(backend, counts).batches.remove(0).texts;
        let named = "SELECT column1 AS id,column2 AS note FROM";
        assert_eq!(
            texts(DbBackend::Sqlite, &[1, 2]),
            [format!("{named} (VALUES (?,?))"), format!("{named} (VALUES (?,?),(?,?))")]
        );
        assert_eq!(
            texts(DbBackend::Postgres, &[1, 2])[1],
            "SELECT * FROM unnest($3::integer[],$4::text[]) AS rows (id,note)"
        );
        assert!(script(DbBackend::Postgres, &[0]).batches.is_empty());
    }

    #[test]
    fn a_column_of_another_type_is_refused_on_each_database() {
        let values: [(Value, bool); 6] = [
            ("text".into(), true),
            (Value::String(None), true),
            (true.into(), true),
            (1_i64.into(), true),
            (0.5.into(), false),
            (Value::Bytes(None), false),
        ];
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            for (value, fits) in &values {
                let mut script = script(backend, &[1]);
                script.add(&COLUMNS, [[1.into(), value.clone()]].into_iter(), str::to_owned);
                assert_eq!(script.statements().is_ok(), *fits, "{backend:?} {value:?}");
            }
        }
    }

    #[test]
    fn the_first_rows_of_all_tables_go_together() {
        let batches = script(DbBackend::Sqlite, &[300, 3, 600]).batches;
        let rows = |batch: &Batch| batch.texts.iter().map(|text| text.matches("(?").count()).collect();
        let rows: Vec<Vec<usize>> = batches.iter().map(rows).collect();
        assert_eq!(rows, [vec![256, 4, 256], vec![64, 256], vec![128]]);
    }

    #[test]
    fn lists_of_sought_values_are_padded_too() {
        assert!(filled_up(Vec::<i32>::new()).is_empty());
        assert_eq!(filled_up([1]), [1]);
        assert_eq!(filled_up([1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(filled_up(0..100).len(), 128);
    }

    #[test]
    fn postgres_gets_one_statement() {
        let text = |texts: &[&str]| together(&texts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(text(&["a"]), "a");
        assert_eq!(text(&["a", "b", "c"]), "WITH part0 AS (a) , part1 AS (b) c");
    }
}
