//! Arrays as PostgreSQL reads them.

use std::fmt::Write;

use sea_orm::Value;
use sea_orm::sea_query::ArrayType;

/// Why writing to a `String` does not fail.
pub(super) const STRINGS_TAKE_ALL: &str = "a String takes whatever is written";

/// What arrays of such values are of, here and in PostgreSQL. None: they are not written.
pub(super) fn type_of(value: &Value) -> Option<(ArrayType, &'static str)> {
    match value {
        Value::Bool(_) => Some((ArrayType::Bool, "boolean")),
        Value::Int(_) => Some((ArrayType::Int, "integer")),
        Value::BigInt(_) => Some((ArrayType::BigInt, "bigint")),
        Value::String(_) => Some((ArrayType::String, "text")),
        _ => None,
    }
}

/// An array as text, because the driver's cannot have nulls.
pub(super) fn literal(array: &[Value]) -> String {
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
}
