//! The values of variables: whether they are of the types that the operation says, and in the form that
//! its execution expects, as the specification has it (G2).
//!
//! Whatever is wrong refuses the whole request. The library would find it while it executes, when half
//! of the work may have been done.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{BaseType, OperationDefinition, Type, VariableDefinition};
use async_graphql::{Name, Number, Pos, ServerError, Value, Variables};

use crate::server::document::types::{Given, Input, Types};

/// How many values a list may have. Where it may have fewer, the input breaks a rule, which is told as data.
const ITEMS: usize = 2_000;

/// The whole numbers that JSON's readers agree about, and no more.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Why a value is not of its type, said of the value.
type Coerced = Result<(), String>;

/// Coerces the variables of an operation. Those that were left out get their default; without one they
/// stay absent.
///
/// # Errors
/// When a variable is missing that must be given, or a value is of another type.
pub(super) fn coerce(
    types: &Types,
    operation: &OperationDefinition,
    variables: &mut Variables,
) -> Result<(), ServerError> {
    for definition in &operation.variable_definitions {
        coerce_variable(types, &definition.node, definition.pos, variables)?;
    }
    Ok(())
}

fn coerce_variable(
    types: &Types,
    definition: &VariableDefinition,
    pos: Pos,
    variables: &mut Variables,
) -> Result<(), ServerError> {
    let (name, ty) = (&definition.name.node, &definition.var_type.node);
    if !variables.contains_key(name) {
        match &definition.default_value {
            Some(default) => drop(variables.insert(name.clone(), default.node.clone())),
            None if ty.nullable => return Ok(()),
            None => {
                return Err(error(format!("The variable ${name} of type {ty} is required. Give it."), pos));
            }
        }
    }
    let Some(value) = variables.get_mut(name) else { return Ok(()) };
    coerce_value(types, value, ty).map_err(|problem| error(format!("The variable ${name} {problem}"), pos))
}

fn coerce_value(types: &Types, value: &mut Value, ty: &Type) -> Coerced {
    if *value == Value::Null {
        return if ty.nullable { Ok(()) } else { Err(format!("is of type {ty} and must not be null.")) };
    }
    match &ty.base {
        BaseType::List(item) => coerce_list(types, value, item),
        BaseType::Named(name) => match types.input(name) {
            Some(Input::Object { fields, is_one_of }) => {
                let Value::Object(values) = value else {
                    return Err(format!("is no object of type {name}."));
                };
                coerce_object(types, values, fields)?;
                if *is_one_of { check_one_of(values, name) } else { Ok(()) }
            }
            Some(Input::Enum(names)) => match value {
                Value::String(given) if names.contains(given.as_str()) => Ok(()),
                // The default of a variable was checked with its document.
                Value::Enum(given) if names.contains(given) => Ok(()),
                _ => Err(format!("is no value of {name}.")),
            },
            Some(Input::Scalar) => coerce_scalar(value, name),
            None => Err(format!("is of type {name}, which is no type of input.")),
        },
    }
}

/// One value stands for a list of one.
fn coerce_list(types: &Types, value: &mut Value, item: &Type) -> Coerced {
    match value {
        Value::List(values) if values.len() > ITEMS => {
            Err(format!("has a list of {} values. Give at most {ITEMS}.", values.len()))
        }
        Value::List(values) => values.iter_mut().try_for_each(|value| coerce_value(types, value, item)),
        value => {
            coerce_value(types, value, item)?;
            *value = Value::List(vec![std::mem::take(value)]);
            Ok(())
        }
    }
}

fn coerce_object(
    types: &Types,
    values: &mut IndexMap<Name, Value>,
    fields: &IndexMap<Name, Given>,
) -> Coerced {
    for (name, value) in values.iter_mut() {
        let Some(field) = fields.get(name) else {
            return Err(format!("has a field {name}, which is unknown."));
        };
        coerce_value(types, value, &field.ty)
            .map_err(|problem| format!("has a field {name} that {problem}"))?;
    }
    for (name, field) in fields {
        if values.contains_key(name) {
            continue;
        }
        match &field.default {
            Some(default) => drop(values.insert(name.clone(), default.clone())),
            None if field.ty.nullable => {}
            None => return Err(format!("lacks the field {name} of type {}. Give it.", field.ty)),
        }
    }
    Ok(())
}

fn check_one_of(values: &IndexMap<Name, Value>, ty: &Name) -> Coerced {
    if values.len() == 1 && values.values().all(|value| *value != Value::Null) {
        return Ok(());
    }
    Err(format!("must have exactly one field of {ty}, and not null."))
}

/// Scalars of our own take any value.
fn coerce_scalar(value: &mut Value, ty: &str) -> Coerced {
    let is_right = match (ty, &mut *value) {
        ("Int", Value::Number(number)) => match whole(number).and_then(|whole| i32::try_from(whole).ok()) {
            Some(whole) => {
                *number = whole.into();
                true
            }
            None => return Err(format!("is {number}, which is no integer of 32 bits.")),
        },
        ("ID", Value::Number(number)) => {
            let text = digits(number).or_else(|| whole(number).map(|whole| whole.to_string()));
            text.map(|text| *value = Value::String(text)).is_some()
        }
        ("Float", Value::Number(_))
        | ("String" | "ID", Value::String(_))
        | ("Boolean", Value::Boolean(_)) => true,
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        _ => true,
    };
    if is_right { Ok(()) } else { Err(format!("is no {ty}.")) }
}

/// The text of a number that is written as an integer, however long.
fn digits(number: &Number) -> Option<String> {
    let text = number.to_string();
    let is_integer = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    (is_integer && text != "-0").then_some(text)
}

/// A number without a fraction, however it is written: `20.0` is 20.
fn whole(number: &Number) -> Option<i128> {
    let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    integer.or_else(|| {
        number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT).map(truncate)
    })
}

#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and less than 54 bits")]
fn truncate(float: f64) -> i128 {
    float as i128
}

fn error(message: String, pos: Pos) -> ServerError {
    ServerError::new(message, Some(pos))
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::{Value as Json, json};

    use super::*;

    const SDL: &str = r"
        enum E { A, B }
        scalar Any
        input One @oneOf { a: Int, b: Int }
        input In { n: Int, list: [Int!], inner: In, text: String, e: E, id: ID, any: Any, one: One, with: Int! = 5 }
        type Query { f: Int }
        directive @oneOf on INPUT_OBJECT
        schema { query: Query }
    ";

    /// What becomes of the variable `v` of this type.
    fn coerced(ty: &str, variables: &Json) -> Result<Json, String> {
        let document = parse_query(format!("query ($v: {ty}) {{ f }}")).unwrap();
        let crate::graphql::json::Json(given) = serde_json::from_str(&variables.to_string()).unwrap();
        let mut variables = Variables::from_value(given);
        let (_, operation) = document.operations.iter().next().unwrap();
        let outcome = coerce(&Types::of_schema(SDL), &operation.node, &mut variables);
        outcome.map(|()| serde_json::to_value(variables).unwrap()).map_err(|error| error.message)
    }

    #[test]
    fn values_of_the_right_type_get_the_form_of_their_type() {
        for (ty, given, expected) in [
            ("Int", json!({}), json!({})),
            ("Int = 7", json!({}), json!({"v": 7})),
            ("Int = 7", json!({"v": null}), json!({"v": null})),
            ("Int!", json!({"v": 20.0}), json!({"v": 20})),
            ("Int!", json!({"v": -0.0}), json!({"v": 0})),
            ("Int!", json!({"v": -2_147_483_648_i64}), json!({"v": -2_147_483_648_i64})),
            ("Float!", json!({"v": 1e300}), json!({"v": 1e300})),
            ("ID!", json!({"v": 7}), json!({"v": "7"})),
            ("ID!", json!({"v": 7.0}), json!({"v": "7"})),
            ("ID!", json!({"v": u64::MAX}), json!({"v": "18446744073709551615"})),
            ("ID!", json!({"v": -0.0}), json!({"v": "0"})),
            ("E", json!({"v": "A"}), json!({"v": "A"})),
            ("E = B", json!({}), json!({"v": "B"})),
            ("[[Int]]", json!({"v": 1}), json!({"v": [[1]]})),
            ("[[Int]]", json!({"v": [1, [2, null], null]}), json!({"v": [[1], [2, null], null]})),
            ("Any", json!({"v": {"a": [1.5]}}), json!({"v": {"a": [1.5]}})),
            ("In", json!({"v": {"list": 1, "any": "x"}}), json!({"v": {"list": [1], "any": "x", "with": 5}})),
            ("In", json!({"v": {"one": {"a": 1.0}}}), json!({"v": {"one": {"a": 1}, "with": 5}})),
            ("[In!]", json!({"v": {"id": 3}}), json!({"v": [{"id": "3", "with": 5}]})),
            ("Int", json!({"w": "not asked for"}), json!({"w": "not asked for"})),
        ] {
            assert_eq!(coerced(ty, &given), Ok(expected), "{ty} {given}");
        }
        assert!(coerced("[Int]", &json!({"v": vec![1; ITEMS]})).is_ok());
    }

    #[test]
    fn values_of_a_wrong_type_are_found_wherever_they_stand() {
        for (ty, given) in [
            ("Int!", json!({})),
            ("Int!", json!({"v": null})),
            ("Int! = 7", json!({"v": null})),
            ("Int", json!({"v": 2_147_483_648_u32})),
            ("Int", json!({"v": 20.5})),
            ("Int", json!({"v": "20"})),
            ("Int", json!({"v": true})),
            ("Float", json!({"v": "1"})),
            ("String", json!({"v": 1})),
            ("Boolean", json!({"v": 1})),
            ("ID", json!({"v": 1.5})),
            ("ID", json!({"v": true})),
            ("E", json!({"v": "C"})),
            ("E", json!({"v": 1})),
            ("In", json!({"v": "a"})),
            ("In", json!({"v": [{}]})),
            ("In", json!({"v": {"unknown": 1}})),
            ("In", json!({"v": {"with": null}})),
            ("In", json!({"v": {"inner": {"inner": {"list": [1, 3e9]}}}})),
            ("In", json!({"v": {"one": {}}})),
            ("In", json!({"v": {"one": {"a": null}}})),
            ("In", json!({"v": {"one": {"a": 1, "b": 2}}})),
            ("[Int!]", json!({"v": [null]})),
            ("[Int]", json!({"v": vec![1; ITEMS + 1]})),
        ] {
            assert!(coerced(ty, &given).is_err(), "{ty} {given}");
        }
    }
}
