//! The body of a notification, byte for byte (W3, W7, W8).
//!
//! All but the stamp is the same for every target and every attempt, so it is
//! written once per event.

use std::io::Write;

use entity::{EventId, EventName, Timestamp};
use serde_json::json;

/// Enough for any stamp and the braces that close the body.
const STAMP_BYTES: usize = 24;

/// The body of an event's notifications, up to the stamp.
#[derive(Debug, Clone)]
pub struct Envelope {
    before_stamp: String,
}

impl Envelope {
    /// The envelope of an event. `node` is a JSON object as text; it is taken over as it stands.
    pub fn new(id: &EventId, name: Option<&EventName>, node: &str, created_at: Timestamp) -> Self {
        let name = json!(name);
        let before_stamp = format!(
            r#"{{"data":{{"node":{{"__typename":"NotificationEvent","createdAt":"{created_at}","id":"{id}","name":{name},"node":{node}}}}},"extensions":{{"signatureTimestamp":"#
        );
        Self { before_stamp }
    }

    /// The body of an attempt that is made `at` this time (W4).
    pub fn stamped(&self, at: Timestamp) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.before_stamp.len() + STAMP_BYTES);
        body.extend_from_slice(self.before_stamp.as_bytes());
        write!(body, "{}}}}}", at.as_millis()).expect("a Vec takes whatever is written");
        body
    }
}

#[cfg(test)]
mod tests {
    use entity::NotificationEventName;
    use serde_json::Value;

    use super::*;
    use crate::rules::payload;

    const CREATED_AT: Timestamp = Timestamp::from_millis(1_648_761_699_732);

    fn event() -> EventId {
        "nee_0190163d8694739b8a4f0123456789ab".parse().unwrap()
    }

    fn body(name: Option<NotificationEventName>, node: &str, at: i64) -> String {
        let name = name.map(EventName::from);
        let envelope = Envelope::new(&event(), name.as_ref(), node, CREATED_AT);
        String::from_utf8(envelope.stamped(Timestamp::from_millis(at))).unwrap()
    }

    #[test]
    fn the_activation_notification_is_as_the_contract_writes_it() {
        let name = NotificationEventName::NotificationActivation;
        assert_eq!(
            body(Some(name), payload::ACTIVATION, 1_648_761_699_999),
            concat!(
                r#"{"data":{"node":{"__typename":"NotificationEvent","createdAt":"2022-03-31T21:21:39.732Z","#,
                r#""id":"nee_0190163d8694739b8a4f0123456789ab","name":"NOTIFICATION_ACTIVATION","#,
                r#""node":{"__typename":"NotificationTargetActivationEvent","ping":"pong"}}},"#,
                r#""extensions":{"signatureTimestamp":1648761699999}}"#,
            )
        );
    }

    #[test]
    fn an_event_without_a_name_says_null() {
        let body: Value = serde_json::from_str(&body(None, payload::PING, 0)).unwrap();
        assert_eq!(body["data"]["node"]["name"], Value::Null);
    }

    #[test]
    fn a_name_that_this_version_does_not_know_is_sent_as_it_was_recorded() {
        let name = EventName::from("CARD_TELEPORTED".to_owned());
        let envelope = Envelope::new(&event(), Some(&name), payload::PING, CREATED_AT);
        let body: Value = serde_json::from_slice(&envelope.stamped(CREATED_AT)).unwrap();
        assert_eq!(body["data"]["node"]["name"], "CARD_TELEPORTED");
    }

    #[test]
    fn the_payload_is_taken_over_as_it_stands() {
        let node = r#"{"b" : 1.50, "a": "\u00e9{}\"" }"#;
        assert!(body(None, node, 0).contains(node));
    }

    #[test]
    fn every_stamp_fits_without_growing() {
        let envelope = Envelope::new(&event(), None, payload::PING, CREATED_AT);
        for at in [i64::MIN, -1, 0, 1_648_761_699_732, i64::MAX] {
            let body = envelope.stamped(Timestamp::from_millis(at));
            let read: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(read["extensions"]["signatureTimestamp"], at);
            assert!(body.len() <= envelope.before_stamp.len() + STAMP_BYTES);
        }
    }
}
