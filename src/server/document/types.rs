//! The types of the schema, as far as documents are concerned: which fields there are and of what
//! type, what they may be given, and which objects an interface or a union stands for.

use std::collections::{HashMap, HashSet};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ConstDirective, FieldDefinition, InputObjectType, InputValueDefinition, OperationType,
    SchemaDefinition, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Positioned, Value};

/// What the schema is asked about itself. The library serves these types and does not print them.
const INTROSPECTION: &str = include_str!("introspection.graphql");

/// The types of a schema, and those by which it tells of itself.
#[derive(Debug, Default)]
pub(crate) struct Types {
    query: Option<Name>,
    mutation: Option<Name>,
    /// The fields of objects and interfaces.
    outputs: HashMap<Name, HashMap<Name, Output>>,
    inputs: HashMap<Name, Input>,
    /// The objects that an interface or a union stands for.
    members: HashMap<Name, Vec<Name>>,
}

/// A field of an object or an interface.
#[derive(Debug)]
pub(crate) struct Output {
    pub arguments: HashMap<Name, Given>,
    pub ty: Type,
}

/// An argument, or a field of an input object.
#[derive(Debug)]
pub(crate) struct Given {
    pub ty: Type,
    pub default: Option<Value>,
}

/// A type of values that are given.
#[derive(Debug)]
pub(crate) enum Input {
    Object { fields: IndexMap<Name, Given>, is_one_of: bool },
    Enum(HashSet<Name>),
    Scalar,
}

impl Types {
    /// Reads the types of a printed schema.
    pub(crate) fn of_schema(sdl: &str) -> Self {
        let mut types = Self::default();
        for name in ["Int", "Float", "String", "Boolean", "ID"] {
            types.inputs.insert(Name::new(name), Input::Scalar);
        }
        for text in [sdl, INTROSPECTION] {
            let document = parse_schema(text).expect("the library reads what it printed");
            for definition in document.definitions {
                match definition {
                    TypeSystemDefinition::Schema(schema) => types.add_roots(schema.node),
                    TypeSystemDefinition::Type(definition) => types.add(definition.node),
                    TypeSystemDefinition::Directive(_) => {}
                }
            }
        }
        types.add_introspection();
        types
    }

    fn add_roots(&mut self, schema: SchemaDefinition) {
        self.query = schema.query.map(|name| name.node);
        self.mutation = schema.mutation.map(|name| name.node);
    }

    fn add(&mut self, definition: TypeDefinition) {
        let name = definition.name.node;
        match definition.kind {
            TypeKind::Object(object) => {
                for interface in object.implements {
                    self.members.entry(interface.node).or_default().push(name.clone());
                }
                self.outputs.insert(name, outputs(object.fields));
            }
            TypeKind::Interface(interface) => {
                self.members.entry(name.clone()).or_default();
                self.outputs.insert(name, outputs(interface.fields));
            }
            TypeKind::Union(union) => {
                let members = union.members.into_iter().map(|member| member.node);
                self.members.insert(name, members.collect());
            }
            TypeKind::InputObject(object) => {
                self.inputs.insert(name, input(object, &definition.directives));
            }
            TypeKind::Enum(values) => {
                let values = values.values.into_iter().map(|value| value.node.value.node);
                self.inputs.insert(name, Input::Enum(values.collect()));
            }
            TypeKind::Scalar => drop(self.inputs.insert(name, Input::Scalar)),
        }
    }

    /// The two fields of the root by which the schema tells of itself.
    fn add_introspection(&mut self) {
        let fields = self.outputs.remove("Introspection").unwrap_or_default();
        if let Some(root) = self.query.as_ref().and_then(|query| self.outputs.get_mut(query)) {
            root.extend(fields);
        }
    }

    /// What an operation of this kind starts from.
    pub(crate) fn root(&self, kind: OperationType) -> Option<&Name> {
        match kind {
            OperationType::Query => self.query.as_ref(),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => None,
        }
    }

    /// A field of an object or an interface.
    pub(crate) fn output(&self, of: &str, field: &str) -> Option<&Output> {
        self.outputs.get(of)?.get(field)
    }

    /// A type of values that are given.
    pub(crate) fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.get(name)
    }

    /// The objects that an interface or a union stands for; none of an object.
    pub(crate) fn members(&self, name: &str) -> Option<&[Name]> {
        self.members.get(name).map(Vec::as_slice)
    }

    /// Whether a fragment with this condition applies to an object.
    pub(crate) fn applies(&self, condition: &str, object: &str) -> bool {
        condition == object || self.members(condition).is_some_and(|all| all.iter().any(|one| one == object))
    }
}

/// The type inside all lists.
pub(crate) fn base(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => base(item),
    }
}

fn outputs(fields: Vec<Positioned<FieldDefinition>>) -> HashMap<Name, Output> {
    let output = |field: FieldDefinition| Output {
        arguments: field.arguments.into_iter().map(given).collect(),
        ty: field.ty.node,
    };
    fields.into_iter().map(|field| (field.node.name.node.clone(), output(field.node))).collect()
}

fn input(object: InputObjectType, directives: &[Positioned<ConstDirective>]) -> Input {
    let is_one_of = directives.iter().any(|directive| directive.node.name.node == "oneOf");
    Input::Object { fields: object.fields.into_iter().map(given).collect(), is_one_of }
}

fn given(definition: Positioned<InputValueDefinition>) -> (Name, Given) {
    let definition = definition.node;
    let default = definition.default_value.map(|value| value.node);
    (definition.name.node, Given { ty: definition.ty.node, default })
}
