//! The values that are written in a document, in the library's form.
//!
//! Numbers of any length are written where an id is expected; what the library has for numbers
//! would cut them short, so they become texts here, where their text is at hand.

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{BaseType, Type};
use async_graphql::{Name, Number, ServerError, Value};
use async_graphql_value::Value as Given;
use bluejay_core::{AsIter as _, ObjectValue, Value as _, ValueReference};
use bluejay_parser::HasSpan;
use bluejay_parser::ast;
use bluejay_parser::ast::executable::VariableType;

use crate::server::document::positions::Positions;
use crate::server::document::types::{Input, Types};

pub(super) type Converted<T> = Result<T, ServerError>;

/// Converts the literals of the document in `text`.
pub(super) struct Literals<'a> {
    pub text: &'a str,
    pub types: &'a Types,
    pub positions: &'a Positions<'a>,
}

impl Literals<'_> {
    /// A value without variables.
    pub(super) fn constant(&self, value: &ast::ConstValue<'_>, expected: &Type) -> Converted<Value> {
        let converted = self.value(value, Some(expected))?;
        converted.into_const().ok_or_else(|| self.error(value, "A default value holds a variable."))
    }

    /// A value where one of the type `expected` should stand, if that is known.
    pub(super) fn value<const CONST: bool>(
        &self,
        value: &ast::Value<'_, CONST>,
        expected: Option<&Type>,
    ) -> Converted<Given> {
        let expected = match (value, expected.map(|ty| &ty.base)) {
            (ast::Value::List(_), Some(BaseType::Named(_))) => None,
            // One value stands for a list of one.
            (ast::Value::List(_), _) => expected,
            _ => expected.map(innermost),
        };
        Ok(match value {
            ast::Value::Variable(variable) => Given::Variable(Name::new(variable.name())),
            ast::Value::Integer(digits) => self.integer(value, digits.as_ref(), expected)?,
            ast::Value::Float(_) => Given::Number(self.number(value)?),
            ast::Value::String(text) => Given::String(text.as_str().to_owned()),
            ast::Value::Boolean(_) => Given::Boolean(matches!(value.as_ref(), ValueReference::Boolean(true))),
            ast::Value::Null(_) => Given::Null,
            ast::Value::Enum(name) => Given::Enum(Name::new(name)),
            ast::Value::List(items) => {
                let item = expected.and_then(|ty| match &ty.base {
                    BaseType::List(item) => Some(&**item),
                    BaseType::Named(_) => None,
                });
                Given::List(items.iter().map(|value| self.value(value, item)).collect::<Converted<_>>()?)
            }
            ast::Value::Object(object) => Given::Object(self.object(ObjectValue::iter(object), expected)?),
        })
    }

    fn object<'v, const CONST: bool, N: AsRef<str> + HasSpan + 'v>(
        &self,
        object: impl Iterator<Item = (&'v N, &'v ast::Value<'v, CONST>)>,
        expected: Option<&Type>,
    ) -> Converted<IndexMap<Name, Given>> {
        let input = expected.and_then(|ty| self.types.input(named(ty)?));
        let mut converted = IndexMap::new();
        for (name, value) in object {
            let field = match input {
                Some(Input::Object { fields, .. }) => fields.get(name.as_ref()).map(|field| &field.ty),
                _ => None,
            };
            let value = self.value(value, field)?;
            match converted.entry(Name::new(name)) {
                Entry::Vacant(entry) => drop(entry.insert(value)),
                Entry::Occupied(_) => {
                    return Err(self.error(name, format!("The field {} is given twice.", name.as_ref())));
                }
            }
        }
        Ok(converted)
    }

    fn integer(&self, at: &impl HasSpan, digits: &str, expected: Option<&Type>) -> Converted<Given> {
        Ok(match expected.and_then(named) {
            Some("ID") => Given::String(digits.to_owned()),
            Some("Int") if digits == "-0" => Given::Number(0.into()),
            _ => Given::Number(self.number(at)?),
        })
    }

    /// GraphQL writes numbers as JSON does.
    fn number(&self, at: &impl HasSpan) -> Converted<Number> {
        let digits = &self.text[at.span().byte_range()];
        let number = serde_json::from_str(digits);
        number.map_err(|_| self.error(at, "This number is too large."))
    }

    fn error(&self, at: &impl HasSpan, message: impl Into<String>) -> ServerError {
        ServerError::new(message, Some(self.positions.of(at)))
    }
}

/// A type as the library writes it.
pub(super) fn type_of(ty: &VariableType<'_>) -> Type {
    match ty {
        VariableType::Named { name, is_required, .. } => {
            Type { base: BaseType::Named(Name::new(name)), nullable: !is_required }
        }
        VariableType::List { inner, is_required, .. } => {
            Type { base: BaseType::List(Box::new(type_of(inner))), nullable: !is_required }
        }
    }
}

fn innermost(ty: &Type) -> &Type {
    match &ty.base {
        BaseType::List(item) => innermost(item),
        BaseType::Named(_) => ty,
    }
}

fn named(ty: &Type) -> Option<&str> {
    match &ty.base {
        BaseType::Named(name) => Some(name),
        BaseType::List(_) => None,
    }
}
