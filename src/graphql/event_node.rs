//! The payload of an event: one type of ours for every member of the union.
//!
//! What a member is called and which fields it has is the table in [`members`]; the values
//! are the JSON text that was published. A payload whose type is not in the table, or that does
//! not have the form which its type promises, is shown as a whole.

mod members;
mod select;

use std::borrow::Cow;

use anyhow::Context;
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaType, MetaTypeId, Registry};
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};

use crate::graphql::json::Json;
use members::{GENERIC, MEMBERS, PayloadType};

/// An object of a payload: its values by name.
type Values = IndexMap<Name, Value>;

/// The payload of one event.
#[derive(Debug)]
pub(super) struct NotificationEventNode {
    member: &'static PayloadType,
    values: Values,
}

impl NotificationEventNode {
    /// Reads the text of a payload.
    ///
    /// # Errors
    /// When it is not the text of a JSON object.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let Json(payload) = serde_json::from_str(text).context("a payload is no JSON")?;
        let Value::Object(values) = payload else { anyhow::bail!("a payload is no JSON object") };
        let promised = match values.get("__typename") {
            Some(Value::String(name)) => MEMBERS.iter().find(|member| member.name == name),
            _ => None,
        };
        Ok(match promised.filter(|member| member.fits(&values)) {
            Some(member) => Self { member, values },
            None => Self { member: &GENERIC, values: [(Name::new("payload"), Value::Object(values))].into() },
        })
    }
}

impl OutputType for NotificationEventNode {
    fn type_name() -> Cow<'static, str> {
        "NotificationEventNode".into()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.member.name.into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Union, |registry| {
            for member in all() {
                member.register(registry);
            }
            MetaType::Union {
                name: Self::type_name().into_owned(),
                description: Some(DESCRIPTION.to_owned()),
                possible_types: all().map(|member| member.name.to_owned()).collect(),
                visible: None,
                inaccessible: false,
                tags: Vec::new(),
                rust_typename: Some(std::any::type_name::<Self>()),
                directive_invocations: Vec::new(),
            }
        })
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        let asked = select::Asked { fragments: &ctx.query_env.fragments, union: &Self::type_name() };
        Ok(asked.of(self.member, &self.values, &[&ctx.item.node]))
    }
}

const DESCRIPTION: &str = "The payload of an event. Its type depends on the name of the event; a payload whose \
    type is not among these is a `GenericNotificationEvent`.";

fn all() -> impl Iterator<Item = &'static PayloadType> {
    MEMBERS.iter().chain([&GENERIC])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_of(text: &str) -> &'static str {
        NotificationEventNode::read(text).unwrap().member.name
    }

    #[test]
    fn a_payload_has_the_type_that_it_names_if_it_keeps_its_promise() {
        for (text, expected) in [
            (
                r#"{"__typename":"NotificationTargetActivationEvent","ping":"pong"}"#,
                "NotificationTargetActivationEvent",
            ),
            (r#"{"__typename":"NotificationTargetActivationEvent"}"#, "NotificationTargetActivationEvent"),
            (
                r#"{"__typename":"NotificationTargetActivationEvent","ping":null}"#,
                "NotificationTargetActivationEvent",
            ),
            (r#"{"__typename":"NotificationTargetActivationEvent","ping":1}"#, "GenericNotificationEvent"),
            (
                r#"{"__typename":"NotificationPingTestEvent","ping":"pong","more":1}"#,
                "NotificationPingTestEvent",
            ),
            (r#"{"__typename":"NotificationPingTestEvent"}"#, "GenericNotificationEvent"),
            (r#"{"__typename":"NotificationPingTestEvent","ping":null}"#, "GenericNotificationEvent"),
            (r#"{"__typename":"GenericNotificationEvent","payload":1}"#, "GenericNotificationEvent"),
            (r#"{"__typename":"CardPaymentClearedEvent"}"#, "GenericNotificationEvent"),
            ("{}", "GenericNotificationEvent"),
        ] {
            assert_eq!(type_of(text), expected, "{text}");
        }
    }

    #[test]
    fn only_objects_are_payloads() {
        for text in ["", "[]", "null", "1", "{"] {
            assert!(NotificationEventNode::read(text).is_err(), "{text}");
        }
    }
}
