//! What a document asks for in the end: one operation in which each key of the answer stands once.
//!
//! The specification gathers the fields of one key from all fragments and executes them once; the
//! library executes each of them. So they are gathered here, before it gets the operation: what is
//! skipped is left out, fragments are put in, and fields of one key become one field. Where the
//! type is known at execution only, what is asked of an object stands in a fragment on its type.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, InlineFragment, OperationDefinition, Selection, SelectionSet,
    TypeCondition,
};
use async_graphql::{Name, Positioned, ServerError, Value, Variables};
use async_graphql_value::Value as Given;

use crate::server::document::arguments::Arguments;
use crate::server::document::blanks::Blanks;
use crate::server::document::types::{Types, base};

/// How many selections there may be when all are put in. As written they are fewer; what is asked of an
/// interface may have to be said for each of its types.
const SELECTIONS: usize = 4_000;

pub(super) type Merged<T> = Result<T, ServerError>;

/// The fields that are answered by one key.
pub(super) type Fields<'a> = IndexMap<&'a Name, Vec<&'a Positioned<Field>>>;

/// Refuses a document in which a key of the answer stands for two fields. The validator does not compare a
/// union's `__typename` with the fields of its members.
///
/// # Errors
/// When there is such a key, or too much is asked for.
pub(super) fn check(document: &ExecutableDocument, types: &Types) -> Merged<()> {
    let mut operations = document.operations.iter();
    operations.try_for_each(|(_, operation)| merge(document, &operation.node, types, None).map(drop))
}

/// The operation as it is to be executed. The document is valid, and not too large. Without variables
/// nothing is skipped.
///
/// # Errors
/// When it would be too large, or a condition is null.
pub(super) fn merge(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    types: &Types,
    variables: Option<&Variables>,
) -> Merged<(OperationDefinition, Blanks)> {
    let mut merging = Merging::new(document, operation, types, variables);
    let set = &operation.selection_set;
    let merged = merging.selections(types.root(operation.ty), &[&set.node])?;
    let operation = OperationDefinition {
        ty: operation.ty,
        variable_definitions: operation.variable_definitions.clone(),
        directives: Vec::new(),
        selection_set: Positioned::new(merged, set.pos),
    };
    Ok((operation, merging.blanks))
}

pub(super) struct Merging<'a> {
    document: &'a ExecutableDocument,
    pub(super) types: &'a Types,
    variables: Option<&'a Variables>,
    arguments: Arguments<'a>,
    way: Vec<Name>,
    blanks: Blanks,
    left: usize,
}

/// What is asked of an interface or a union.
#[derive(Default)]
struct Asked<'a> {
    /// Of every object.
    of_all: Fields<'a>,
    /// Of those on which a fragment is.
    of_some: Vec<(&'a Name, &'a SelectionSet)>,
}

impl<'a> Merging<'a> {
    pub(super) fn new(
        document: &'a ExecutableDocument,
        operation: &OperationDefinition,
        types: &'a Types,
        variables: Option<&'a Variables>,
    ) -> Self {
        let mut definitions = operation.variable_definitions.iter();
        let is_complete = variables.is_none_or(|variables| {
            definitions.all(|variable| variables.contains_key(&variable.node.name.node))
        });
        Self {
            document,
            types,
            variables,
            arguments: Arguments { variables, is_complete },
            way: Vec::new(),
            blanks: Blanks::default(),
            left: SELECTIONS,
        }
    }

    fn selections(&mut self, of: Option<&'a Name>, sets: &[&'a SelectionSet]) -> Merged<SelectionSet> {
        let members = of.and_then(|of| self.types.members(of));
        let items = if let (Some(of), Some(members)) = (of, members) {
            self.of_abstract(of, members, sets)?
        } else {
            let fields = self.of_object(of.map_or("", Name::as_str), sets)?;
            self.fields(of, &fields)?
        };
        Ok(SelectionSet { items })
    }

    /// The fields that are asked of an object.
    pub(super) fn of_object(&self, object: &str, sets: &[&'a SelectionSet]) -> Merged<Fields<'a>> {
        let mut fields = Fields::new();
        for set in sets {
            self.gather(object, set, &mut fields)?;
        }
        Ok(fields)
    }

    fn gather(&self, object: &str, set: &'a SelectionSet, into: &mut Fields<'a>) -> Merged<()> {
        for selection in &set.items {
            if self.is_skipped(selection.node.directives())? {
                continue;
            }
            if let Selection::Field(field) = &selection.node {
                into.entry(&field.node.response_key().node).or_default().push(field);
            } else if let Some((condition, set)) = self.fragment(&selection.node)
                && condition.is_none_or(|condition| self.types.applies(condition, object))
            {
                self.gather(object, set, into)?;
            }
        }
        Ok(())
    }

    fn of_abstract(
        &mut self,
        of: &'a Name,
        members: &'a [Name],
        sets: &[&'a SelectionSet],
    ) -> Merged<Vec<Positioned<Selection>>> {
        let mut asked = Asked::default();
        for set in sets {
            self.divide(members, set, &mut asked)?;
        }
        let named = members.iter().filter(|member| {
            asked.of_some.iter().any(|(condition, _)| self.types.applies(condition, member))
        });
        let mut of_each = Vec::new();
        for member in named {
            let sets: Vec<_> =
                asked.of_some.iter().filter(|(on, _)| self.types.applies(on, member)).collect();
            let sets: Vec<_> = sets.into_iter().map(|(_, set)| *set).collect();
            of_each.push((member, self.of_object(member, &sets)?));
        }
        for (key, fields) in of_each.iter().flat_map(|(_, fields)| fields.iter()) {
            if let Some([first, ..]) = asked.of_all.get(*key).map(Vec::as_slice) {
                fields.iter().try_for_each(|field| check_name(key, first, field))?;
            }
        }
        let is_split = of_each.iter().flat_map(|(_, fields)| fields.iter()).any(|(key, fields)| {
            asked.of_all.contains_key(*key) && fields.iter().any(|field| has_fields(field))
        });
        if is_split {
            return self.of_every_member(members, sets);
        }
        // A value without fields is the same whoever asks for it: it is asked for once.
        for (_, fields) in &mut of_each {
            fields.retain(|key, _| !asked.of_all.contains_key(*key));
        }
        let mut items = self.fields(Some(of), &asked.of_all)?;
        for (member, fields) in of_each {
            if !fields.is_empty() {
                items.push(self.on(member, &fields)?);
            }
        }
        Ok(items)
    }

    /// Divides what is asked of all objects from what is asked of some.
    fn divide(&self, members: &[Name], set: &'a SelectionSet, asked: &mut Asked<'a>) -> Merged<()> {
        for selection in &set.items {
            if self.is_skipped(selection.node.directives())? {
                continue;
            }
            if let Selection::Field(field) = &selection.node {
                asked.of_all.entry(&field.node.response_key().node).or_default().push(field);
                continue;
            }
            let Some((condition, set)) = self.fragment(&selection.node) else { continue };
            let is_narrow = |on: &&'a Name| !members.iter().all(|member| self.types.applies(on, member));
            match condition.filter(is_narrow) {
                None => self.divide(members, set, asked)?,
                Some(condition) => asked.of_some.push((condition, set)),
            }
        }
        Ok(())
    }

    /// A field with fields in it is asked of all and, with more in it, of some.
    fn of_every_member(
        &mut self,
        members: &'a [Name],
        sets: &[&'a SelectionSet],
    ) -> Merged<Vec<Positioned<Selection>>> {
        let mut items = Vec::with_capacity(members.len());
        for member in members {
            let fields = self.of_object(member, sets)?;
            items.push(self.on(member, &fields)?);
        }
        Ok(items)
    }

    fn on(&mut self, member: &'a Name, fields: &Fields<'a>) -> Merged<Positioned<Selection>> {
        let pos = fields.values().flatten().next().map(|field| field.pos).unwrap_or_default();
        let items = self.fields(Some(member), fields)?;
        let condition = TypeCondition { on: Positioned::new(member.clone(), pos) };
        let fragment = InlineFragment {
            type_condition: Some(Positioned::new(condition, pos)),
            directives: Vec::new(),
            selection_set: Positioned::new(SelectionSet { items }, pos),
        };
        Ok(Positioned::new(Selection::InlineFragment(Positioned::new(fragment, pos)), pos))
    }

    /// One field for each key, or a blank if there is none.
    fn fields(&mut self, of: Option<&'a Name>, fields: &Fields<'a>) -> Merged<Vec<Positioned<Selection>>> {
        if fields.is_empty() {
            return Ok(vec![self.blanks.add(&self.way)]);
        }
        let mut merged = Vec::with_capacity(fields.len());
        for (key, same) in fields {
            let Some((first, more)) = same.split_first() else { continue };
            merged.push(self.field(of, key, first, more)?);
        }
        Ok(merged)
    }

    fn field(
        &mut self,
        of: Option<&'a Name>,
        key: &Name,
        first: &'a Positioned<Field>,
        more: &[&'a Positioned<Field>],
    ) -> Merged<Positioned<Selection>> {
        self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
        more.iter().try_for_each(|field| check_name(key, first, field))?;
        let name = &first.node.name.node;
        let selection_set = if has_fields(first) {
            let output = of.and_then(|of| self.types.output(of, name));
            let same = [&first].into_iter().chain(more);
            let sets: Vec<_> = same.map(|field| &field.node.selection_set.node).collect();
            self.way.push(key.clone());
            let merged = self.selections(output.map(|output| base(&output.ty)), &sets)?;
            self.way.pop();
            Positioned::new(merged, first.node.selection_set.pos)
        } else {
            Positioned::default()
        };
        let field = Field {
            alias: first.node.alias.clone(),
            name: first.node.name.clone(),
            arguments: self.arguments.of(&first.node, of),
            directives: Vec::new(),
            selection_set,
        };
        Ok(Positioned::new(Selection::Field(Positioned::new(field, first.pos)), first.pos))
    }

    /// The condition of a fragment, and what is asked in it.
    fn fragment(&self, selection: &'a Selection) -> Option<(Option<&'a Name>, &'a SelectionSet)> {
        let (condition, set) = match selection {
            Selection::Field(_) => return None,
            Selection::InlineFragment(fragment) => {
                (fragment.node.type_condition.as_ref(), &fragment.node.selection_set)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.node.fragment_name.node)?;
                (Some(&fragment.node.type_condition), &fragment.node.selection_set)
            }
        };
        Some((condition.map(|condition| &condition.node.on.node), &set.node))
    }

    fn is_skipped(&self, directives: &[Positioned<Directive>]) -> Merged<bool> {
        let Some(variables) = self.variables else { return Ok(false) };
        for directive in directives {
            let is_skipped_if = match directive.node.name.node.as_str() {
                "skip" => true,
                "include" => false,
                _ => continue,
            };
            let condition = directive.node.get_argument("if").map(|condition| &condition.node);
            let value = match condition {
                Some(Given::Variable(name)) => variables.get(name),
                Some(Given::Boolean(value)) if *value == is_skipped_if => return Ok(true),
                _ => continue,
            };
            match value {
                Some(Value::Boolean(value)) if *value == is_skipped_if => return Ok(true),
                Some(Value::Boolean(_)) => {}
                _ => {
                    let message = "The condition of @skip or @include is null. Give true or false.";
                    return Err(ServerError::new(message, Some(directive.pos)));
                }
            }
        }
        Ok(false)
    }
}

fn check_name(key: &Name, first: &Positioned<Field>, other: &Positioned<Field>) -> Merged<()> {
    if first.node.name.node == other.node.name.node {
        return Ok(());
    }
    let message = format!("Two different fields are asked for as {key}. Give one of them another alias.");
    Err(ServerError::new(message, Some(other.pos)))
}

fn has_fields(field: &Positioned<Field>) -> bool {
    !field.node.selection_set.node.items.is_empty()
}

fn too_many() -> ServerError {
    let message = format!(
        "The document asks for more than {SELECTIONS} fields, with those of each type counted. Ask for less at a \
         time."
    );
    ServerError::new(message, None)
}
