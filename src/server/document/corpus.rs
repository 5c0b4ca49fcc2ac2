//! Documents made at random, valid ones and such as are broken in one place: they are let through and refused
//! as graphql-js does it, their variables get the same values, and merged they ask for the same answer.
//!
//! `tests/graphql-js` makes them and says what is right. `DOCUMENTS` says how many, `SEED` which.

use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use async_graphql::Variables;
use async_graphql::parser::types::{BaseType, SelectionSet, Type};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::server::document::types::Input;

/// Where we do otherwise on purpose: what is refused begins with this text.
const ON_PURPOSE: [(&str, &str); 7] = [
    ("Schema does not define a subscription root", "graphql-js finds it out when it executes one"),
    ("Subscription root is not a single field", "there are no subscriptions; graphql-js counts other fields"),
    (
        "Field `directives` does not define an argument named `includeDeprecated`",
        "it is of a draft of the specification, and async-graphql does not serve it",
    ),
    ("Field `isDeprecated` does not exist on type `__Directive`", "of the same draft"),
    ("Field `deprecationReason` does not exist on type `__Directive`", "of the same draft"),
    ("The document asks for some", "how much may be asked of the schema is limited, and documented"),
    ("The condition of @skip or @include is null", "graphql-js answers null and this error when it executes"),
];

const REFUSED: &str = "refused, and should be accepted: ";
const ACCEPTED: &str = "accepted, and should be refused";

/// Where we accept on purpose: graphql-js compares arguments by how they are written. To us a text in quotes
/// and the same text as a block are one value.
fn is_written_otherwise(case: &Case) -> bool {
    let differ = case.why.as_deref().is_some_and(|why| why.contains("differing arguments"));
    differ && case.query.contains(r#"""""#)
}

/// A document and what graphql-js does with it.
#[derive(Debug, Deserialize)]
struct Case {
    rule: Option<String>,
    query: String,
    /// As JSON, because numbers may be written in several ways.
    variables: String,
    operation: Option<String>,
    accepted: bool,
    why: Option<String>,
    declared: Option<Vec<String>>,
    coerced: Option<Map<String, Json>>,
    answer: Option<Json>,
}

#[test]
fn documents_are_judged_as_graphql_js_judges_them() {
    let number = |name: &str, default: u32| env::var(name).map_or(default, |text| text.parse().unwrap());
    let Some(cases) = cases(number("SEED", 20_261_128), number("DOCUMENTS", 600)) else { return };
    let documents = Documents::default();
    let mut differences = Vec::new();
    let (mut accepted, mut answered, mut on_purpose) = (0, 0, 0);
    for case in &cases {
        accepted += usize::from(case.accepted);
        answered += usize::from(case.answer.is_some());
        let Some(difference) = difference(&documents, case) else { continue };
        let is_refused_on_purpose =
            ON_PURPOSE.iter().any(|(message, _)| difference.starts_with(&format!("{REFUSED}{message}")));
        if is_refused_on_purpose || difference == ACCEPTED && is_written_otherwise(case) {
            on_purpose += 1;
            continue;
        }
        let Case { rule, query, variables, why, .. } = case;
        differences.push(format!("{difference}\n  {query}\n  {variables}\n  {rule:?} {why:?}"));
    }
    // The generator itself must not become one-sided.
    assert!(accepted * 5 > cases.len() && accepted * 2 < cases.len(), "{accepted} of {}", cases.len());
    assert!(answered * 2 > accepted, "{answered} of {accepted}");
    assert!(on_purpose * 25 < cases.len(), "{on_purpose} of {}", cases.len());
    let shown: Vec<_> = differences.iter().take(10).map(String::as_str).collect();
    assert!(shown.is_empty(), "{} of {} differ:\n{}", differences.len(), cases.len(), shown.join("\n\n"));
}

/// None, and loudly so, where there is no node or no graphql-js; where CI runs there must be.
fn cases(seed: u32, count: u32) -> Option<Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphql-js");
    let mut node = Command::new("node");
    node.arg(folder.join("cases.mjs")).arg(folder.join("../../schema.graphql"));
    node.args([seed.to_string(), count.to_string()]);
    let is_installed = folder.join("node_modules/graphql").is_dir();
    let child = node.stdout(Stdio::piped()).spawn();
    let (Ok(mut child), true) = (child, is_installed) else {
        assert!(env::var_os("CI").is_none(), "install node, and graphql-js by `npm ci` in tests/graphql-js");
        // The harness would keep it to itself.
        let skipped = "SKIPPED: documents are not compared with graphql-js. Install node; `npm ci` in tests/graphql-js.";
        writeln!(io::stderr(), "\n{skipped}\n").unwrap();
        return None;
    };
    let lines = io::BufReader::new(child.stdout.take().unwrap()).lines();
    let cases = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert!(child.wait().unwrap().success());
    Some(cases)
}

fn difference(documents: &Documents, case: &Case) -> Option<String> {
    let graphql::json::Json(variables) = serde_json::from_str(&case.variables).unwrap();
    let mut request = Request::new(&case.query).variables(Variables::from_value(variables));
    request.operation_name.clone_from(&case.operation);
    let prepared = match (documents.prepare(&mut request), case.accepted) {
        (Err(_), false) => return None,
        (Ok(_), false) => return Some(ACCEPTED.to_owned()),
        (Err(refusal), true) => {
            let message = refusal.messages().next().unwrap_or_default();
            return Some(format!("{REFUSED}{message}"));
        }
        (Ok(prepared), true) => prepared,
    };
    let coerced = case.coerced.as_ref().unwrap();
    for name in case.declared.iter().flatten() {
        let ours = request.variables.get(name.as_str()).map(|value| value.clone().into_json().unwrap());
        if !is_same(ours.as_ref(), coerced.get(name)) {
            return Some(format!("${name} is {ours:?}, and should be {:?}", coerced.get(name)));
        }
    }
    let expected = case.answer.as_ref()?;
    let document = request.parsed_query().unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    let root = documents.types.root(operation.node.ty).unwrap();
    let mut mock = Mock { types: &documents.types, way: Vec::new(), twice: None };
    let mut answer =
        async_graphql::Value::from_json(mock.object(root, &operation.node.selection_set.node)).unwrap();
    if let Some(key) = mock.twice {
        return Some(format!("{key} is executed twice"));
    }
    prepared.shape.give(&mut answer);
    let answer = answer.into_json().unwrap();
    (answer != *expected).then(|| format!("answers {answer}, and should {expected}"))
}

/// Numbers are the same if they are the same double, however they are written.
fn is_same(ours: Option<&Json>, theirs: Option<&Json>) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(Json::Number(ours)), Some(Json::Number(theirs))) => ours.as_f64() == theirs.as_f64(),
        (Some(Json::Array(ours)), Some(Json::Array(theirs))) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(Some(ours), Some(theirs)))
        }
        (Some(Json::Object(ours)), Some(Json::Object(theirs))) => {
            let keys = ours.keys().chain(theirs.keys());
            keys.into_iter().all(|key| is_same(ours.get(key), theirs.get(key)))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// Executes as the library does, each field as it comes; every type and value is decided by its place, by the
/// same rule as in `cases.mjs`.
struct Mock<'a> {
    types: &'a Types,
    way: Vec<String>,
    /// A key that was answered before.
    twice: Option<String>,
}

impl Mock<'_> {
    fn object(&mut self, ty: &str, set: &SelectionSet) -> Json {
        let mut answer = Map::new();
        self.select(ty, set, &mut answer);
        Json::Object(answer)
    }

    fn select(&mut self, ty: &str, set: &SelectionSet, answer: &mut Map<String, Json>) {
        use async_graphql::parser::types::Selection;
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let (key, field) = (field.node.response_key().node.to_string(), &field.node);
                    self.way.push(key.clone());
                    let value = match self.types.output(ty, &field.name.node) {
                        _ if field.name.node == "__typename" => json!(ty),
                        Some(output) => self.value(&output.ty, &field.selection_set.node),
                        None => panic!("{ty} has no field {}", field.name.node),
                    };
                    self.way.pop();
                    if answer.insert(key.clone(), value).is_some() {
                        self.twice = Some(key);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let on = fragment.node.type_condition.as_ref().map(|on| on.node.on.node.as_str());
                    if on.is_none_or(|on| self.types.applies(on, ty)) {
                        self.select(ty, &fragment.node.selection_set.node, answer);
                    }
                }
                Selection::FragmentSpread(_) => panic!("a spread is left"),
            }
        }
    }

    fn value(&mut self, ty: &Type, set: &SelectionSet) -> Json {
        let name = match &ty.base {
            BaseType::List(item) => return json!([self.value(item, set), self.value(item, set)]),
            BaseType::Named(name) => name,
        };
        match (name.as_str(), self.types.input(name)) {
            ("Int" | "Float", _) => json!(1),
            ("Boolean", _) => json!(true),
            (_, Some(Input::Enum(_))) => json!(ENUMS.with(|first| first.get(name.as_str()).cloned())),
            (_, Some(_)) => json!("x"),
            _ => match self.types.members(name) {
                None => self.object(name, set),
                Some(members) => {
                    let mut members: Vec<_> = members.iter().map(Name::as_str).collect();
                    members.sort_unstable();
                    let member = members[place(&self.way.join(".")) as usize % members.len()];
                    self.object(member, set)
                }
            },
        }
    }
}

thread_local! {
    /// The first value of each enum, in the order of the schema.
    static ENUMS: HashMap<String, String> = first_values();
}

fn first_values() -> HashMap<String, String> {
    use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
    let schema = async_graphql::parser::parse_schema(graphql::printed()).unwrap();
    let types = schema.definitions.into_iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(ty) => Some(ty.node),
        _ => None,
    });
    let enums = types.filter_map(|ty| match ty.kind {
        TypeKind::Enum(values) => {
            Some((ty.name.node.to_string(), values.values[0].node.value.node.to_string()))
        }
        _ => None,
    });
    enums.collect()
}

/// A number that belongs to a place, as in `cases.mjs`.
fn place(text: &str) -> u32 {
    text.encode_utf16().fold(7, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}
