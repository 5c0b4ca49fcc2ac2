//! The types of payloads that are shown field by field. A new one is one more entry.

use async_graphql::registry::{Deprecation, MetaField, MetaType, Registry};
use async_graphql::{CacheControl, OutputType, Value};

use crate::graphql::event_node::Values;
use crate::graphql::json::Json;

/// An object type, as data.
#[derive(Debug)]
pub(super) struct PayloadType {
    /// Its name, which payloads bear as `__typename`.
    pub name: &'static str,
    description: &'static str,
    fields: &'static [PayloadField],
}

/// A field of such a type; its value is what stands under its name.
#[derive(Debug)]
struct PayloadField {
    name: &'static str,
    ty: &'static str,
    description: &'static str,
    /// The object type that `ty` names, if it is one.
    object: Option<&'static PayloadType>,
}

/// The types that a payload can name.
pub(super) static MEMBERS: [PayloadType; 2] = [
    PayloadType {
        name: "NotificationTargetActivationEvent",
        description: "The payload of the notification that a target must answer with a 2xx to become `ACTIVE`.",
        fields: &[PayloadField { name: "ping", ty: "String", description: "Always `pong`.", object: None }],
    },
    PayloadType {
        name: "NotificationPingTestEvent",
        description: "The payload of a ping test, which shows whether a target can be reached.",
        fields: &[PayloadField { name: "ping", ty: "String!", description: "Always `pong`.", object: None }],
    },
];

/// The type of all other payloads: the payload itself stands in its one field.
pub(super) static GENERIC: PayloadType = PayloadType {
    name: "GenericNotificationEvent",
    description: "Extension: a payload whose type this API does not show field by field.",
    fields: &[PayloadField {
        name: "payload",
        ty: "JSON!",
        description: "Extension: the payload as it was published, a JSON object with the name of its type as \
            `__typename`.",
        object: None,
    }],
};

impl PayloadType {
    /// The object type of the field of this name, if it is of one.
    pub(super) fn object_of(&self, field: &str) -> Option<&'static PayloadType> {
        self.fields.iter().find(|candidate| candidate.name == field)?.object
    }

    /// Whether every field has a value that its type allows.
    pub(super) fn fits(&self, values: &Values) -> bool {
        self.fields.iter().all(|field| field.allows(field.ty, values.get(field.name).unwrap_or(&Value::Null)))
    }

    /// Adds the type, and those of its fields, to the schema.
    pub(super) fn register(&self, registry: &mut Registry) {
        <Json as OutputType>::create_type_info(registry);
        for object in self.fields.iter().filter_map(|field| field.object) {
            object.register(registry);
        }
        let ty = MetaType::Object {
            name: self.name.to_owned(),
            description: Some(self.description.to_owned()),
            fields: self.fields.iter().map(|field| (field.name.to_owned(), field.meta())).collect(),
            cache_control: CacheControl::default(),
            extends: false,
            shareable: false,
            resolvable: true,
            keys: None,
            visible: None,
            inaccessible: false,
            interface_object: false,
            tags: Vec::new(),
            is_subscription: false,
            rust_typename: None,
            directive_invocations: Vec::new(),
            requires_scopes: Vec::new(),
        };
        registry.types.insert(self.name.to_owned(), ty);
    }
}

impl PayloadField {
    fn allows(&self, ty: &str, value: &Value) -> bool {
        if let Some(ty) = ty.strip_suffix('!') {
            return *value != Value::Null && self.allows(ty, value);
        }
        if let Some(item) = ty.strip_prefix('[').and_then(|ty| ty.strip_suffix(']')) {
            return match value {
                Value::List(items) => items.iter().all(|value| self.allows(item, value)),
                value => *value == Value::Null,
            };
        }
        match (ty, value) {
            (_, Value::Null)
            | ("JSON", _)
            | ("String" | "ID", Value::String(_))
            | ("Boolean", Value::Boolean(_))
            | ("Float", Value::Number(_)) => true,
            (_, Value::Object(values)) => self.object.is_some_and(|object| object.fits(values)),
            ("Int", Value::Number(number)) => {
                number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
            }
            _ => false,
        }
    }

    fn meta(&self) -> MetaField {
        MetaField {
            name: self.name.to_owned(),
            description: Some(self.description.to_owned()),
            args: [].into(),
            ty: self.ty.to_owned(),
            deprecation: Deprecation::NoDeprecated,
            cache_control: CacheControl::default(),
            external: false,
            requires: None,
            provides: None,
            visible: None,
            shareable: false,
            inaccessible: false,
            tags: Vec::new(),
            override_from: None,
            compute_complexity: None,
            directive_invocations: Vec::new(),
            requires_scopes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONEY: PayloadType = PayloadType {
        name: "Money",
        description: "",
        fields: &[PayloadField { name: "value", ty: "Int!", description: "", object: None }],
    };

    #[test]
    fn a_type_allows_what_it_says() {
        for (ty, value, expected) in [
            ("Int", "null", true),
            ("Int!", "null", false),
            ("Int", "2147483647", true),
            ("Int", "2147483648", false),
            ("Int", "1.5", false),
            ("Int", "1.0", false),
            ("Int", "18446744073709551616", false),
            ("Float", "1.5", true),
            ("Boolean", "true", true),
            ("Boolean", r#""true""#, false),
            ("[ID!]!", r#"["a","b"]"#, true),
            ("[ID!]!", r#"["a",null]"#, false),
            ("[ID!]", r#""a""#, false),
            ("Money", r#"{"value":1}"#, true),
            ("[Money!]", r#"[{"value":1},{"value":null}]"#, false),
        ] {
            let field = PayloadField { name: "field", ty, description: "", object: Some(&MONEY) };
            let Json(value) = serde_json::from_str(value).unwrap();
            assert_eq!(field.allows(ty, &value), expected, "{ty} {value}");
        }
    }
}
