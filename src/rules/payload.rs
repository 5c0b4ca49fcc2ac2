//! Payloads of events: JSON objects that name their type (X1).
//!
//! Nothing else is asked of what platforms publish; the keys keep their order, and numbers their digits.

use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Value};
use entity::NotificationEventName;

use crate::error::{Code, Violation};
use crate::rules::limits;

/// The payload of the notification that a target must answer to become active (W7).
pub const ACTIVATION: &str = r#"{"__typename":"NotificationTargetActivationEvent","ping":"pong"}"#;

/// The payload of a ping test (X2).
pub const PING: &str = r#"{"__typename":"NotificationPingTestEvent","ping":"pong"}"#;

const TYPENAME: &str = "__typename";

/// The text of a published payload. If it does not name its type, that of the event is put first.
pub fn prepare(name: NotificationEventName, node: Value) -> Result<String, Violation> {
    let Value::Object(mut node) = node else {
        return Err(violation("The node is not a JSON object."));
    };
    name_type(&mut node, name.payload_type())?;
    let text = serde_json::to_string(&node).map_err(|_| violation("The node is not JSON."))?;
    if text.len() > limits::PAYLOAD_BYTES {
        let (most, bytes) = (limits::PAYLOAD_BYTES, text.len());
        return Err(violation(&format!("The node has {bytes} bytes as JSON. Give at most {most}.")));
    }
    Ok(text)
}

fn name_type(node: &mut IndexMap<Name, Value>, payload_type: &str) -> Result<(), Violation> {
    match node.get(TYPENAME) {
        None => {
            node.shift_insert(0, Name::new(TYPENAME), payload_type.into());
            Ok(())
        }
        Some(Value::String(name)) if is_name(name) => Ok(()),
        // In a document it may stand without quotes.
        Some(Value::Enum(_)) => Ok(()),
        Some(_) => Err(violation(
            "The `__typename` of the node is not the name of a type. Give one such as \
             `CardPaymentClearedEvent`, or leave it out.",
        )),
    }
}

/// Whether GraphQL would take a text for a name.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn violation(description: &str) -> Violation {
    Violation::new(Code::InvalidPayload, description)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: NotificationEventName = NotificationEventName::CardPaymentSettledEvent;

    #[test]
    fn a_payload_has_a_greatest_size() {
        let node = |memo: usize| Value::from_json(json!({ "memo": "x".repeat(memo) })).unwrap();
        assert!(prepare(NAME, node(limits::PAYLOAD_BYTES / 2)).is_ok());
        let refused = prepare(NAME, node(limits::PAYLOAD_BYTES)).unwrap_err();
        assert_eq!(refused.code, Code::InvalidPayload);
    }

    #[test]
    fn digits_count_once_however_many_they_are() {
        let room = limits::PAYLOAD_BYTES - r#"{"__typename":"CardPaymentClearedEvent","v":}"#.len();
        let prepared = |bytes: usize| {
            let digits = format!("0.{}", "7".repeat(bytes - 2));
            let node = [(Name::new("v"), Value::Number(digits.parse().unwrap()))];
            prepare(NAME, Value::Object(node.into()))
        };
        assert_eq!(prepared(room).map(|text| text.len()), Ok(limits::PAYLOAD_BYTES));
        assert_eq!(prepared(room + 1).unwrap_err().code, Code::InvalidPayload);
    }

    fn prepared(node: &str) -> Result<String, Code> {
        prepare(NAME, serde_json::from_str(node).unwrap()).map_err(|violation| violation.code)
    }

    #[test]
    fn a_payload_names_its_type() {
        for (node, text) in [
            ("{}", r#"{"__typename":"CardPaymentClearedEvent"}"#),
            (r#"{ "z": 1, "a": [ 2 ] }"#, r#"{"__typename":"CardPaymentClearedEvent","z":1,"a":[2]}"#),
            (r#"{"z":1,"__typename":"Another_1"}"#, r#"{"z":1,"__typename":"Another_1"}"#),
            (r#"{"__typename":"_"}"#, r#"{"__typename":"_"}"#),
        ] {
            assert_eq!(prepared(node), Ok(text.to_owned()));
        }
    }

    #[test]
    fn nothing_else_is_a_payload() {
        for node in [
            "null",
            "true",
            "1",
            r#""{}""#,
            "[]",
            "[{}]",
            r#"{"__typename":null}"#,
            r#"{"__typename":1}"#,
            r#"{"__typename":""}"#,
            r#"{"__typename":"1a"}"#,
            r#"{"__typename":"a b"}"#,
            r#"{"__typename":"é"}"#,
            r#"{"__typename":"a\u0000"}"#,
            r#"{"__typename":["A"]}"#,
        ] {
            assert_eq!(prepared(node), Err(Code::InvalidPayload), "{node}");
        }
    }

    #[test]
    fn our_own_payloads_are_in_prepared_form() {
        for payload in [ACTIVATION, PING] {
            assert_eq!(prepared(payload), Ok(payload.to_owned()));
        }
    }
}
