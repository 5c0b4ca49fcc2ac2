//! Statements over many rows, written in few shapes.
//!
//! A database prepares a statement once for each text. PostgreSQL takes a column of rows as one
//! array, so that their number does not matter. SQLite has no arrays: there rows are filled up with
//! empty ones to the next power of two. What is written here by hand is what builders of
//! statements would write again, value by value, for each of the hot statements.

use std::fmt::Write;

use sea_orm::sea_query::ArrayType;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, Iterable, ModelTrait, Statement, Value};

use crate::error::Result;

/// How many rows one statement has at most. With no table, SQLite's binds more values than it takes
/// (32,766).
const ROWS_ON_SQLITE: usize = 256;
const ROWS_ON_POSTGRES: usize = 1_000;

/// Why writing to a `String` does not fail.
const STRINGS_TAKE_ALL: &str = "a String takes whatever is written";

/// Statements over many rows that go to the database together, because each way there and back
/// costs as much as writing some dozens of rows. None of them may need what another one writes.
///
/// The first rows of all its tables go at once, then the next ones: so what goes together has few
/// shapes too.
#[derive(Debug)]
pub struct Script {
    backend: DbBackend,
    batches: Vec<Batch>,
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
        Self { backend: tx.get_database_backend(), batches: Vec::new() }
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
            texts.push(text(&match self.backend {
                DbBackend::Sqlite => value_by_value(columns, rows.by_ref().take(ROWS_ON_SQLITE), values),
                _ => as_arrays(columns, rows.by_ref().take(ROWS_ON_POSTGRES), values),
            }));
        }
    }

    /// Executes it.
    pub async fn run(self, tx: &impl ConnectionTrait) -> Result<()> {
        for statement in self.statements() {
            tx.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// What it consists of, for those whose statements answer something.
    pub fn statements(self) -> impl Iterator<Item = Statement> {
        self.batches.into_iter().map(move |Batch { texts, values }| {
            let text = match self.backend {
                DbBackend::Sqlite => texts.join(";"),
                _ => together(&texts),
            };
            Statement::from_sql_and_values(self.backend, text, values)
        })
    }
}

/// PostgreSQL prepares a single statement only; it may have others within.
fn together(texts: &[String]) -> String {
    let (last, others) = texts.split_last().expect("a script has a statement");
    let mut text = String::new();
    for (number, other) in others.iter().enumerate() {
        let before = if number == 0 { "WITH" } else { "," };
        write!(text, "{before} part{number} AS ({other}) ").expect(STRINGS_TAKE_ALL);
    }
    text + last
}

/// What a statement looks for, filled up to a power of two with the last of it, which changes nothing:
/// so a list of any length has few shapes too.
pub fn filled_up<T: Clone>(sought: impl IntoIterator<Item = T>) -> Vec<T> {
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
) -> String {
    let first = values.len();
    values.extend(rows.flatten());
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
    format!("SELECT {} FROM (VALUES {})", names.join(","), vec![row; count].join(","))
}

/// Rows for PostgreSQL: a parameter for each column.
fn as_arrays<Row: IntoIterator<Item = Value>>(
    columns: &[Column],
    rows: impl Iterator<Item = Row>,
    values: &mut Vec<Value>,
) -> String {
    let mut arrays = vec![Vec::new(); columns.len()];
    for row in rows {
        for (array, value) in arrays.iter_mut().zip(row) {
            array.push(value);
        }
    }
    let mut places = Vec::with_capacity(columns.len());
    for (column, array) in columns.iter().zip(arrays) {
        let (of, name) = type_of(&array[0]);
        let array =
            if column.has_nulls { literal(&array).into() } else { Value::Array(of, Some(array.into())) };
        values.push(array);
        places.push(format!("${}::{name}[]", values.len()));
    }
    format!("SELECT * FROM unnest({}) AS rows ({})", places.join(","), names(columns))
}

/// What arrays of such values are of, here and in PostgreSQL.
fn type_of(value: &Value) -> (ArrayType, &'static str) {
    match value {
        Value::Bool(_) => (ArrayType::Bool, "boolean"),
        Value::Int(_) => (ArrayType::Int, "integer"),
        Value::BigInt(_) => (ArrayType::BigInt, "bigint"),
        Value::String(_) => (ArrayType::String, "text"),
        other => unreachable!("no column has values like {other:?}"),
    }
}

/// An array as text, because the driver's cannot have nulls.
fn literal(array: &[Value]) -> String {
    let mut text = String::with_capacity(array.len() * 8);
    for value in array {
        text.push(if text.is_empty() { '{' } else { ',' });
        match value {
            Value::String(Some(value)) => push_quoted(&mut text, value),
            Value::Bool(Some(value)) => write!(text, "{value}").expect(STRINGS_TAKE_ALL),
            Value::Int(Some(value)) => write!(text, "{value}").expect(STRINGS_TAKE_ALL),
            Value::BigInt(Some(value)) => write!(text, "{value}").expect(STRINGS_TAKE_ALL),
            _ => text += "NULL",
        }
    }
    text + "}"
}

fn push_quoted(text: &mut String, value: &str) {
    text.push('"');
    for part in value.split_inclusive(['"', '\\']) {
        match part.as_bytes().last() {
            Some(b'"' | b'\\') => {
                let (plain, special) = part.split_at(part.len() - 1);
                *text += plain;
                text.push('\\');
                *text += special;
            }
            _ => *text += part,
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 2] = [Column::full("id"), Column::with_nulls("note")];

    fn script(backend: DbBackend, counts: &[i32]) -> Script {
        let mut script = Script { backend, batches: Vec::new() };
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
    fn arrays_are_written_as_postgres_reads_them() {
        let text = |text: &str| Value::from(text);
        for (array, expected) in [
            (vec![Value::from(1), Value::Int(None), Value::from(-2)], "{1,NULL,-2}"),
            (vec![Value::from(true), Value::Bool(None), Value::from(false)], "{true,NULL,false}"),
            (vec![Value::from(1_i64), Value::BigInt(None)], "{1,NULL}"),
            (vec![text(""), Value::String(None), text("NULL")], r#"{"",NULL,"NULL"}"#),
            (vec![text("a,b"), text("{}"), text(" ä ")], r#"{"a,b","{}"," ä "}"#),
            (vec![text(r#"{"a":"\n"}"#), text(r"\\"), text("\"")], r#"{"{\"a\":\"\\n\"}","\\\\","\""}"#),
        ] {
            assert_eq!(literal(&array), expected);
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
