//! The schema as its callers see it: what can be asked, and how to ask for all of it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::Api;

const INTROSPECTION: &str = "{ __schema { types { kind name possibleTypes { name } enumValues { name }
    fields { name args { name type { ...T } } type { ...T } }
    inputFields { name type { ...T } } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// How many types a way may lead through: documents have a depth, too.
const DEPTH: usize = 10;

/// The types of the schema.
pub struct Graph(Vec<Value>);

impl Graph {
    pub async fn of(api: &Api) -> Self {
        let types = api.ok(INTROSPECTION, json!({})).await["__schema"]["types"].take();
        Self(types.as_array().unwrap().clone())
    }

    fn type_of(&self, name: &str) -> &Value {
        self.0.iter().find(|ty| ty["name"] == name).unwrap_or_else(|| panic!("no type {name}"))
    }

    /// The fields of an object type.
    pub fn fields(&self, type_name: &str) -> &[Value] {
        list(&self.type_of(type_name)["fields"])
    }

    /// The mutations that take an input: their names and the names of the inputs' types.
    pub fn mutations(&self) -> Vec<(&str, &str)> {
        let fields = self.fields("Mutation").iter();
        let inputs = fields.filter_map(|field| {
            let input = list(&field["args"]).iter().find(|arg| arg["name"] == "input")?;
            Some((text(field), named(&input["type"])))
        });
        inputs.collect()
    }

    /// Every field of an object that takes an argument of this name: the object's type and the field.
    pub fn fields_with(&self, argument: &str) -> Vec<(&str, &str)> {
        let types = self.0.iter().filter(|ty| ty["kind"] == "OBJECT" && !text(ty).starts_with("__"));
        let takes = |field: &&Value| list(&field["args"]).iter().any(|arg| arg["name"] == argument);
        types
            .flat_map(|ty| list(&ty["fields"]).iter().filter(takes).map(|field| (text(ty), text(field))))
            .collect()
    }

    /// Every argument of every field: `Type.field`, the argument, and the name of its type.
    pub fn arguments(&self) -> Vec<(String, &str, &str)> {
        let types = self.0.iter().filter(|ty| ty["kind"] == "OBJECT" && !text(ty).starts_with("__"));
        let fields = types.flat_map(|ty| list(&ty["fields"]).iter().map(move |field| (ty, field)));
        let arguments = fields.flat_map(|(ty, field)| {
            let name = format!("{}.{}", text(ty), text(field));
            list(&field["args"]).iter().map(move |arg| (name.clone(), text(arg), named(&arg["type"])))
        });
        arguments.collect()
    }

    /// Asks for everything there is of a type, but for what leads back to a type on the way.
    pub fn everything_of(&self, type_name: &str) -> String {
        self.select(type_name, &[], &mut Vec::new())
    }

    /// Fields of these names have an alias, because they mean something else in a neighbour.
    fn select<'a>(&'a self, type_name: &'a str, clashing: &[&str], way: &mut Vec<&'a str>) -> String {
        let ty = self.type_of(type_name);
        if way.contains(&type_name) || way.len() == DEPTH {
            return String::new();
        }
        way.push(type_name);
        let mut selection = "__typename ".to_owned();
        if ty["kind"] == "OBJECT" {
            for field in list(&ty["fields"]) {
                let (name, asked) = (text(field), self.ask(field, way));
                if !asked.is_empty() && clashing.contains(&name) {
                    selection += &[type_name, "_", name, ": "].concat();
                }
                selection += &asked;
            }
        } else {
            let members: Vec<&str> = list(&ty["possibleTypes"]).iter().map(text).collect();
            let clashing = self.clashing(&members);
            selection += &members.iter().map(|name| self.select_on(name, &clashing, way)).collect::<String>();
        }
        way.pop();
        selection
    }

    /// The names of fields that are not of one type in all members: they cannot be asked for side by side.
    fn clashing(&self, members: &[&str]) -> Vec<&str> {
        let (mut types, mut clashing) = (HashMap::new(), Vec::new());
        for field in members.iter().flat_map(|member| list(&self.type_of(member)["fields"])) {
            if *types.entry(text(field)).or_insert(&field["type"]) != &field["type"] {
                clashing.push(text(field));
            }
        }
        clashing
    }

    fn select_on<'a>(&'a self, member: &'a str, clashing: &[&str], way: &mut Vec<&'a str>) -> String {
        match self.select(member, clashing, way) {
            empty if empty.is_empty() => empty,
            selection => format!("... on {member} {{ {selection} }} "),
        }
    }

    fn ask<'a>(&'a self, field: &'a Value, way: &mut Vec<&'a str>) -> String {
        let (name, ty) = (text(field), named(&field["type"]));
        let arguments = list(&field["args"]);
        if arguments.iter().any(|arg| arg["type"]["kind"] == "NON_NULL") {
            return String::new();
        }
        let few = if arguments.iter().any(|arg| arg["name"] == "first") { "(first: 2)" } else { "" };
        if ["SCALAR", "ENUM"].contains(&self.type_of(ty)["kind"].as_str().unwrap()) {
            return format!("{name}{few} ");
        }
        match self.select(ty, &[], way) {
            empty if empty.is_empty() => empty,
            selection => format!("{name}{few} {{ {selection} }} "),
        }
    }

    /// An input with a value for every field, however deep: `leaf` gives those of scalars, by the name of
    /// the field and of its type.
    pub fn input(&self, type_name: &str, leaf: &dyn Fn(&str, &str) -> Value) -> Value {
        let fields = list(&self.type_of(type_name)["inputFields"]).iter();
        Value::Object(
            fields.map(|field| (text(field).to_owned(), self.value(field, leaf))).collect::<Map<_, _>>(),
        )
    }

    fn value(&self, field: &Value, leaf: &dyn Fn(&str, &str) -> Value) -> Value {
        let ty = self.type_of(named(&field["type"]));
        let value = match ty["kind"].as_str() {
            Some("INPUT_OBJECT") => self.input(text(ty), leaf),
            Some("ENUM") => ty["enumValues"][0]["name"].clone(),
            _ => leaf(text(field), text(ty)),
        };
        if is_list(&field["type"]) { json!([value]) } else { value }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(item: &Value) -> &str {
    item["name"].as_str().unwrap()
}

/// The name of the type inside all lists.
fn named(ty: &Value) -> &str {
    ty["name"].as_str().unwrap_or_else(|| named(&ty["ofType"]))
}

fn is_list(ty: &Value) -> bool {
    ty["kind"] == "LIST" || (ty["kind"] == "NON_NULL" && is_list(&ty["ofType"]))
}
