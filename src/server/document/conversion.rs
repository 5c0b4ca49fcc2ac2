//! From the validator's tree of a document to the library's, which is executed.
//!
//! The library has a parser of its own, which refuses texts and numbers that the specification
//! allows, so it is not asked. What its tree cannot hold is refused here: it keeps operations,
//! fragments and the fields of objects by their names, and would lose one of two of a name.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, FragmentSpread,
    InlineFragment, OperationDefinition, OperationType, Selection, SelectionSet, TypeCondition,
    VariableDefinition,
};
use async_graphql::{Name, Positioned, ServerError};
use async_graphql_value::Value as Given;
use bluejay_core::executable::{
    ExplicitOperationDefinition as _, Field as _, FragmentDefinition as _, FragmentSpread as _,
    InlineFragment as _, OperationDefinition as _, OperationDefinitionReference, VariableDefinition as _,
};
use bluejay_core::{AsIter, Directive as _};
use bluejay_parser::HasSpan;
use bluejay_parser::ast::{self, executable as tree};

use crate::server::document::literals::{self, Converted, Literals};
use crate::server::document::positions::Positions;
use crate::server::document::types::{Types, base};

/// The library's tree of the document in `text`. How deep it is nested was bounded before.
///
/// # Errors
/// When there are two of a name.
pub(super) fn convert(
    text: &str,
    document: &tree::ExecutableDocument<'_>,
    types: &Types,
) -> Converted<ExecutableDocument> {
    let positions = Positions::new(text);
    let literals = Literals { text, types, positions: &positions };
    let conversion = Conversion { types, positions: &positions, literals };
    let operations = conversion.operations(document.operation_definitions())?;
    let mut fragments = HashMap::new();
    for fragment in document.fragment_definitions() {
        let name = Name::new(fragment.name());
        let converted = conversion.fragment(fragment)?;
        let pos = converted.pos;
        if fragments.insert(name, converted).is_some() {
            let message = format!("There is another fragment {}.", fragment.name().as_str());
            return Err(ServerError::new(message, Some(pos)));
        }
    }
    Ok(ExecutableDocument { operations, fragments })
}

struct Conversion<'a> {
    types: &'a Types,
    positions: &'a Positions<'a>,
    literals: Literals<'a>,
}

impl Conversion<'_> {
    fn at<T>(&self, spanned: &impl HasSpan, node: T) -> Positioned<T> {
        Positioned::new(node, self.positions.of(spanned))
    }

    fn operations(&self, all: &[tree::OperationDefinition<'_>]) -> Converted<DocumentOperations> {
        let mut named = HashMap::new();
        for operation in all {
            let converted = self.operation(operation)?;
            let pos = converted.pos;
            match operation.as_ref().name() {
                None if all.len() == 1 => return Ok(DocumentOperations::Single(converted)),
                None => {
                    let message = "An operation without a name must be the only one of its document.";
                    return Err(ServerError::new(message, Some(pos)));
                }
                Some(name) => {
                    if named.insert(Name::new(name), converted).is_some() {
                        let message = format!("There is another operation {name}.");
                        return Err(ServerError::new(message, Some(pos)));
                    }
                }
            }
        }
        Ok(DocumentOperations::Multiple(named))
    }

    fn operation(
        &self,
        operation: &tree::OperationDefinition<'_>,
    ) -> Converted<Positioned<OperationDefinition>> {
        let (definition, set) = (operation.as_ref(), operation.selection_set());
        let ty = match definition.operation_type() {
            bluejay_core::OperationType::Query => OperationType::Query,
            bluejay_core::OperationType::Mutation => OperationType::Mutation,
            bluejay_core::OperationType::Subscription => OperationType::Subscription,
        };
        let explicit = match definition {
            OperationDefinitionReference::Explicit(explicit) => Some(explicit),
            OperationDefinitionReference::Implicit(_) => None,
        };
        let variables = explicit.and_then(|explicit| explicit.variable_definitions());
        let directives = explicit.and_then(|explicit| explicit.directives());
        let converted = OperationDefinition {
            ty,
            variable_definitions: variables
                .into_iter()
                .flat_map(|all| all.iter().map(|variable| self.variable(variable)))
                .collect::<Converted<_>>()?,
            directives: self.directives(directives)?,
            selection_set: self.selections(set, self.types.root(ty))?,
        };
        Ok(self.at(operation, converted))
    }

    fn variable(
        &self,
        definition: &tree::VariableDefinition<'_>,
    ) -> Converted<Positioned<VariableDefinition>> {
        let (variable, ty) = (definition.variable(), definition.r#type());
        let var_type = literals::type_of(ty);
        let default_value = match definition.default_value() {
            Some(value) => Some(self.at(value, self.literals.constant(value, &var_type)?)),
            None => None,
        };
        let converted = VariableDefinition {
            name: self.at(variable, Name::new(variable.name())),
            var_type: self.at(ty, var_type),
            directives: self.directives(definition.directives())?,
            default_value,
        };
        Ok(self.at(variable, converted))
    }

    fn fragment(&self, fragment: &tree::FragmentDefinition<'_>) -> Converted<Positioned<FragmentDefinition>> {
        let name = fragment.type_condition().named_type();
        let on = Name::new(name);
        let condition = TypeCondition { on: self.at(name, on.clone()) };
        let converted = FragmentDefinition {
            type_condition: self.at(name, condition),
            directives: self.directives(fragment.directives())?,
            selection_set: self.selections(fragment.selection_set(), Some(&on))?,
        };
        Ok(self.at(fragment, converted))
    }

    fn selections(
        &self,
        set: &tree::SelectionSet<'_>,
        of: Option<&Name>,
    ) -> Converted<Positioned<SelectionSet>> {
        let items = set.iter().map(|selection| self.selection(selection, of)).collect::<Converted<_>>()?;
        Ok(self.at(set, SelectionSet { items }))
    }

    fn selection(
        &self,
        selection: &tree::Selection<'_>,
        of: Option<&Name>,
    ) -> Converted<Positioned<Selection>> {
        Ok(match selection {
            tree::Selection::Field(field) => self.at(field, Selection::Field(self.field(field, of)?)),
            tree::Selection::FragmentSpread(spread) => {
                let converted = FragmentSpread {
                    fragment_name: self.at(spread.name(), Name::new(spread.name())),
                    directives: self.directives(spread.directives())?,
                };
                self.at(spread, Selection::FragmentSpread(self.at(spread, converted)))
            }
            tree::Selection::InlineFragment(fragment) => {
                self.at(fragment, Selection::InlineFragment(self.inline(fragment, of)?))
            }
        })
    }

    fn inline(
        &self,
        fragment: &tree::InlineFragment<'_>,
        of: Option<&Name>,
    ) -> Converted<Positioned<InlineFragment>> {
        let on = fragment.type_condition().map(|condition| condition.named_type());
        let on = on.map(|name| self.at(name, Name::new(name)));
        let of = on.as_ref().map(|on| on.node.clone()).or_else(|| of.cloned());
        let converted = InlineFragment {
            type_condition: on.map(|on| Positioned::new(TypeCondition { on: on.clone() }, on.pos)),
            directives: self.directives(fragment.directives())?,
            selection_set: self.selections(fragment.selection_set(), of.as_ref())?,
        };
        Ok(self.at(fragment, converted))
    }

    /// A field of a type that may not be known, or not have it: then validation will refuse it.
    fn field(&self, field: &tree::Field<'_>, of: Option<&Name>) -> Converted<Positioned<Field>> {
        let name = field.name();
        let output = of.and_then(|of| self.types.output(of, name.as_str()));
        let arguments = each(field.arguments()).map(|argument| {
            let expected = output.and_then(|output| output.arguments.get(argument.name().as_str()));
            self.argument(argument, expected.map(|expected| &expected.ty))
        });
        let selection_set = match field.selection_set() {
            Some(set) => self.selections(set, output.map(|output| base(&output.ty)))?,
            None => Positioned::default(),
        };
        let converted = Field {
            alias: field.alias().map(|alias| self.at(field, Name::new(alias))),
            name: self.at(name, Name::new(name)),
            arguments: arguments.collect::<Converted<_>>()?,
            directives: self.directives(bluejay_core::executable::Field::directives(field))?,
            selection_set,
        };
        Ok(self.at(field, converted))
    }

    fn argument<const CONST: bool>(
        &self,
        argument: &ast::Argument<'_, CONST>,
        expected: Option<&async_graphql::parser::types::Type>,
    ) -> Converted<(Positioned<Name>, Positioned<Given>)> {
        let value = self.literals.value(argument.value(), expected)?;
        let name = argument.name();
        Ok((self.at(name, Name::new(name)), self.at(argument.value(), value)))
    }

    fn directives<const CONST: bool>(
        &self,
        directives: Option<&ast::Directives<'_, CONST>>,
    ) -> Converted<Vec<Positioned<Directive>>> {
        let all = each(directives);
        let converted = all.map(|directive| {
            let arguments = each(directive.arguments());
            let arguments = arguments.map(|argument| self.argument(argument, None));
            let (name, arguments) = (directive.name(), arguments.collect::<Converted<_>>()?);
            Ok(self.at(directive, Directive { name: self.at(name, Name::new(name)), arguments }))
        });
        converted.collect()
    }
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general enough")]
fn each<T: AsIter>(all: Option<&T>) -> impl Iterator<Item = &T::Item> {
    all.into_iter().flat_map(|all| all.iter())
}
