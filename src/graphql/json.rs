//! JSON as strangers give it: the scalar of event payloads, and how its text is read.
//!
//! Numbers keep their digits. A number of binary floating point would be another one in a tenth of all
//! cases, and an amount of money with 20 digits always; so none is ever computed with on its way.

use std::fmt;

use async_graphql::indexmap::IndexMap;
use async_graphql::{InputValueResult, Name, Number, Scalar, ScalarType, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// From how many bytes on the text of a number gives back what was reserved for more digits.
const LONG_NUMBER: usize = 64;

/// How much of a key an error tells.
const SHOWN_CHARS: usize = 64;

/// A JSON value as the API's library holds it.
#[derive(Debug, Clone)]
pub struct Json(pub Value);

/// Extension: any JSON value. The keys of objects keep their order, and numbers all their digits.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

/// The library would take numbers with a fraction for objects, and objects with a certain key for numbers.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values).map(Self)
    }
}

/// Reads values of any kind.
struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Json(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = IndexMap::new();
        while let Some(key) = entries.next_key_seed(Keys)? {
            match key {
                Key::Name(name) if object.contains_key(&name) => return Err(given_twice(&name)),
                Key::Name(name) => drop(object.insert(name, entries.next_value::<Json>()?.0)),
                Key::Digits => return Ok(Value::Number(number(entries.next_value()?))),
            }
        }
        Ok(Value::Object(object))
    }
}

/// Of two values of one key only one could be kept, and whoever gave them would not learn which.
fn given_twice<E: Error>(name: &Name) -> E {
    let shown: String = name.chars().take(SHOWN_CHARS).collect();
    E::custom(format_args!("the key {shown:?} is given twice"))
}

/// What follows in something that serde calls a map.
enum Key {
    /// The value of this name.
    Name(Name),
    /// The text of a number that no integer of 64 bits is.
    Digits,
}

/// Reads keys. Asked for an option, the text of a name says that there is some; what `serde_json` puts
/// before the digits of a number says that it is a text, whatever it is asked for. So no name that
/// somebody gives to a value can make a number of it.
struct Keys;

impl<'de> DeserializeSeed<'de> for Keys {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(Names).map(Key::Name)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Key, E> {
        Ok(Key::Digits)
    }
}

/// Reads the names of values.
struct Names;

impl de::Visitor<'_> for Names {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
        Ok(Name::new(text))
    }
}

/// A number of these digits, which were read as those of one.
fn number(mut digits: String) -> Number {
    if digits.len() > LONG_NUMBER {
        digits.shrink_to_fit();
    }
    Number::from_string_unchecked(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> serde_json::Result<Value> {
        serde_json::from_str::<Json>(text).map(|json| json.0)
    }

    #[test]
    fn values_are_written_as_they_were_read() {
        for text in [
            "null",
            "true",
            r#""a\n\"é""#,
            "[]",
            r#"{"b":[1,{"a":null}],"a":[]}"#,
            "0",
            "-0",
            "-0.0",
            "1.10",
            "117.39092358081507",
            "123456789.123456789",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "1e-400",
            "1e+400",
            "0.1000000000000000055511151231257827021181583404541015625",
            r#"[1.5,{"a":2.50}]"#,
        ] {
            assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn an_exponent_is_written_in_one_way() {
        for (text, written) in [("1E5", "1e+5"), ("1e5", "1e+5"), ("1E-05", "1e-05"), ("-1.0E+0", "-1.0e+0")]
        {
            assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), written);
        }
    }

    #[test]
    fn no_name_makes_a_number_or_a_raw_text_of_a_value() {
        for name in ["$serde_json::private::Number", "$serde_json::private::RawValue", ""] {
            for value in ["\"1\"", "\"[1.5]\"", "\"no number\"", "1.5", "null"] {
                let text = format!("{{\"{name}\":{value}}}");
                assert_eq!(serde_json::to_string(&read(&text).unwrap()).unwrap(), text);
            }
        }
    }

    #[test]
    fn no_answer_has_a_key_twice() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":null,"b":1,"\u0061":null}"#,
            r#"[{"b":{"a":1,"a":2}}]"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(read(text).unwrap_err().to_string().contains("is given twice"), "{text}");
        }
        for text in [r#"{"a":{"a":1},"b":{"a":2}}"#, r#"{"a":1,"A":2}"#, r#"{"\u00e9":1,"e\u0301":2}"#] {
            assert!(read(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn bodies_that_are_not_json_are_not_read() {
        for text in
            ["", "01", "1.", ".5", "+1", "1e", "NaN", "-", "{1.5:1}", "{\"a\"}", "{\"\\ud800\":1}", "1 1"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
