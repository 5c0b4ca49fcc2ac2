//! The scalar of event payloads, whose form is the publisher's.

use async_graphql::{InputValueResult, Scalar, ScalarType, Value};

/// A JSON value as the API's library holds it.
#[derive(Debug, Clone)]
pub struct Json(pub Value);

/// Extension: any JSON value. The keys of objects keep their order.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}
