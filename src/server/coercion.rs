//! Finds the input values of a wrong type that the library's validation overlooks,
//! so that they refuse the whole request before anything of it is done (G2).
//!
//! Those are: variables that are required and missing, integers beyond 32 bits, lists of
//! thousands, and other things than objects in the place of an input object. The library would
//! find them while it executes, when half of the work may have been done.

use std::collections::HashMap;
use std::convert::Infallible;

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, FieldDefinition, InputValueDefinition, OperationDefinition,
    OperationType, SchemaDefinition, Selection, SelectionSet, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition, VariableDefinition,
};
use async_graphql::parser::{Positioned, parse_schema};
use async_graphql::{Name, Pos, ServerError, Value, Variables};

/// How many values a list may have. Where it may have fewer, the input breaks a rule, which is told as data.
const ITEMS: usize = 2_000;

/// The types of a schema, as far as input values are concerned.
#[derive(Debug, Default)]
pub struct Types {
    query: Option<Name>,
    mutation: Option<Name>,
    /// The fields of objects and interfaces.
    outputs: HashMap<Name, HashMap<Name, Output>>,
    /// The fields of input objects.
    inputs: HashMap<Name, HashMap<Name, Type>>,
}

#[derive(Debug)]
struct Output {
    arguments: HashMap<Name, Type>,
    ty: Type,
}

type Checked = Result<(), ServerError>;

impl Types {
    /// Reads the types of a printed schema.
    pub fn of_schema(sdl: &str) -> Self {
        let document = parse_schema(sdl).expect("the library reads what it printed");
        let mut types = Self::default();
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => types.add_roots(schema.node),
                TypeSystemDefinition::Type(definition) => types.add(definition.node),
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        types
    }

    fn add_roots(&mut self, schema: SchemaDefinition) {
        self.query = schema.query.map(|name| name.node);
        self.mutation = schema.mutation.map(|name| name.node);
    }

    fn add(&mut self, definition: TypeDefinition) {
        let name = definition.name.node;
        match definition.kind {
            TypeKind::Object(object) => drop(self.outputs.insert(name, outputs(object.fields))),
            TypeKind::Interface(interface) => drop(self.outputs.insert(name, outputs(interface.fields))),
            TypeKind::InputObject(object) => drop(self.inputs.insert(name, inputs(object.fields))),
            TypeKind::Scalar | TypeKind::Union(_) | TypeKind::Enum(_) => {}
        }
    }

    /// Checks what an operation is given. Variables that were left out get their value, so that
    /// validation knows it.
    pub fn check(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &mut Variables,
    ) -> Checked {
        for definition in &operation.variable_definitions {
            self.check_variable(&definition.node, definition.pos, variables)?;
        }
        let root = match operation.ty {
            OperationType::Query => self.query.as_ref(),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => None,
        };
        self.check_selections(&operation.selection_set.node, root)?;
        // Each once, however often it is spread.
        document.fragments.values().try_for_each(|fragment| {
            let on = &fragment.node.type_condition.node.on.node;
            self.check_selections(&fragment.node.selection_set.node, Some(on))
        })
    }

    fn check_variable(
        &self,
        definition: &VariableDefinition,
        pos: Pos,
        variables: &mut Variables,
    ) -> Checked {
        let name = &definition.name.node;
        let ty = &definition.var_type.node;
        if !variables.contains_key(name) {
            let missing = || error(format!("The variable ${name} of type {ty} is required. Give it."), pos);
            let default = definition.default_value().ok_or_else(missing)?;
            variables.insert(name.clone(), default.clone());
        }
        let value = &variables[name];
        if *value == Value::Null && !ty.nullable {
            return Err(error(format!("The variable ${name} of type {ty} must not be null."), pos));
        }
        self.check_value(value, ty).map_err(|problem| error(format!("The variable ${name} {problem}"), pos))
    }

    fn check_selections(&self, selections: &SelectionSet, parent: Option<&Name>) -> Checked {
        selections.items.iter().try_for_each(|selection| match &selection.node {
            Selection::Field(field) => self.check_field(&field.node, parent),
            Selection::InlineFragment(fragment) => {
                let condition = fragment.node.type_condition.as_ref();
                let on = condition.map_or(parent, |condition| Some(&condition.node.on.node));
                self.check_selections(&fragment.node.selection_set.node, on)
            }
            Selection::FragmentSpread(_) => Ok(()),
        })
    }

    /// Unknown fields and arguments are left to validation.
    fn check_field(&self, field: &Field, parent: Option<&Name>) -> Checked {
        let output = parent.and_then(|parent| self.outputs.get(parent)?.get(&field.name.node));
        let Some(output) = output else { return Ok(()) };
        for (name, literal) in &field.arguments {
            let Some(ty) = output.arguments.get(&name.node) else { continue };
            // Variables were checked where they are defined, and null passes every check.
            let Ok(value) = literal.node.clone().into_const_with(|_| Ok::<_, Infallible>(Value::Null));
            self.check_value(&value, ty)
                .map_err(|problem| error(format!("The argument {} {problem}", name.node), literal.pos))?;
        }
        self.check_selections(&field.selection_set.node, Some(base(&output.ty)))
    }

    fn check_value(&self, value: &Value, ty: &Type) -> Result<(), String> {
        match (&ty.base, value) {
            (_, Value::Null) => Ok(()),
            (BaseType::List(_), Value::List(values)) if values.len() > ITEMS => {
                Err(format!("has a list of {} values. Give at most {ITEMS}.", values.len()))
            }
            (BaseType::List(item), Value::List(values)) => {
                values.iter().try_for_each(|value| self.check_value(value, item))
            }
            // One value stands for a list of one.
            (BaseType::List(item), value) => self.check_value(value, item),
            (BaseType::Named(name), value) => self.check_named(value, name),
        }
    }

    fn check_named(&self, value: &Value, ty: &Name) -> Result<(), String> {
        if let (Value::Number(number), "Int") = (value, ty.as_str()) {
            let is_int = number.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
            return is_int
                .then_some(())
                .ok_or_else(|| format!("is {number}, which is no integer of 32 bits."));
        }
        let Some(fields) = self.inputs.get(ty) else { return Ok(()) };
        let Value::Object(values) = value else { return Err(format!("is no object of type {ty}.")) };
        let known = values.iter().filter_map(|(name, value)| Some((name, value, fields.get(name)?)));
        known.into_iter().try_for_each(|(name, value, ty)| {
            self.check_value(value, ty).map_err(|problem| format!("has a field {name} that {problem}"))
        })
    }
}

fn outputs(fields: Vec<Positioned<FieldDefinition>>) -> HashMap<Name, Output> {
    let output = |field: FieldDefinition| Output { arguments: inputs(field.arguments), ty: field.ty.node };
    fields.into_iter().map(|field| (field.node.name.node.clone(), output(field.node))).collect()
}

fn inputs(fields: Vec<Positioned<InputValueDefinition>>) -> HashMap<Name, Type> {
    fields.into_iter().map(|field| (field.node.name.node, field.node.ty.node)).collect()
}

/// The type inside all lists.
fn base(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => base(item),
    }
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
        input In @oneOf { n: Int, list: [Int!], inner: In, text: String }
        interface Node { id: ID! }
        type Thing implements Node { id: ID!, f(n: Int = 20, in: In, ins: [In!]): [Thing!] }
        type Query { f(n: Int = 20, in: In, ins: [In!]): [Thing!], node: Node }
        directive @oneOf on INPUT_OBJECT
        schema { query: Query }
    ";

    fn check(document: &str, variables: Json) -> Result<Variables, String> {
        let document = parse_query(document).unwrap();
        let mut variables = Variables::from_json(variables);
        let (_, operation) = document.operations.iter().next().unwrap();
        Types::of_schema(SDL)
            .check(&document, &operation.node, &mut variables)
            .map(|()| variables)
            .map_err(|error| error.message)
    }

    #[test]
    fn values_of_the_right_type_pass() {
        for (document, variables) in [
            ("{ f(n: 2147483647, in: {n: -2147483648}, ins: {list: 1}) { id } }", json!({})),
            (
                "{ f(n: null, in: null, ins: [{inner: {inner: {n: 1}}}]) { f(n: 1) { f(n: 1) { id } } } }",
                json!({}),
            ),
            ("query ($n: Int, $in: In!) { f(n: $n, in: $in) { id } }", json!({"in": {"list": [1, 2]}})),
            ("query ($n: Int! = 5) { f(n: $n) { id } }", json!({})),
            ("query ($ins: [In!]) { f(ins: $ins) { id } }", json!({"ins": vec![json!({}); ITEMS]})),
            ("{ unknown(n: 5000000000) { id } }", json!({})),
        ] {
            assert!(
                check(document, variables.clone()).is_ok(),
                "{document} {:?}",
                check(document, variables)
            );
        }
    }

    #[test]
    fn variables_that_were_left_out_get_their_default() {
        let variables =
            check("query ($a: Int, $b: Int = 7, $c: Int = 7) { f(n: $a) { id } }", json!({"c": 8}));
        assert_eq!(serde_json::to_value(variables.unwrap()).unwrap(), json!({"a": null, "b": 7, "c": 8}));
    }

    #[test]
    fn values_of_a_wrong_type_are_found_wherever_they_stand() {
        for (document, variables) in [
            ("query ($n: Int!) { f(n: $n) { id } }", json!({})),
            ("query ($n: Int!) { f(n: $n) { id } }", json!({"n": null})),
            ("query ($n: Int!) { f(n: $n) { id } }", json!({"n": 2_147_483_648_u32})),
            ("query ($in: In) { f(in: $in) { id } }", json!({"in": "a"})),
            ("query ($in: In) { f(in: $in) { id } }", json!({"in": [{}]})),
            ("query ($ins: [In!]) { f(ins: $ins) { id } }", json!({"ins": vec![json!({}); ITEMS + 1]})),
            ("query ($ins: [In!]) { f(ins: $ins) { id } }", json!({"ins": [{"inner": {"list": [1, 3e9]}}]})),
            ("{ f(n: -2147483649) { id } }", json!({})),
            ("{ f(in: 5) { id } }", json!({})),
            ("{ f(ins: [{n: 1}, true]) { id } }", json!({})),
            ("{ f { f(in: {inner: []}) { id } } }", json!({})),
            ("{ node { ... on Thing { f(n: 5000000000) { id } } } }", json!({})),
            ("{ node { ... { id ... on Thing { f(in: true) { id } } } } }", json!({})),
            ("{ node { ...T } } fragment T on Thing { f(in: A) { id } }", json!({})),
        ] {
            assert!(check(document, variables.clone()).is_err(), "{document} {variables}");
        }
    }
}
