"""GitHub's GraphQL schema: whether a query keeps to it, and whether an answer is one to that query."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    build_ast_schema,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

import onboard.connectors
from tests.contract.description import Exchange, Finding

_SCALARS: Mapping[str, tuple[type, ...]] = {
    "Int": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
    "String": (str,),
    "ID": (str,),
}


class Graph:
    """The schema, out of its SDL."""

    def __init__(self, sdl: str) -> None:
        self.schema: GraphQLSchema = build_ast_schema(parse(sdl, no_location=True), assume_valid=True)
        self._checked: dict[str, list[str]] = {}

    def check_text(self, text: str) -> list[str]:
        """What the schema doesn't allow in a query; each is looked at once."""
        if text not in self._checked:
            self._checked[text] = [error.message for error in validate(self.schema, parse(text))]
        return self._checked[text]

    def check(self, exchange: Exchange) -> Iterator[Finding]:
        """What it doesn't allow in a request to /graphql, and in what was answered."""
        sent = json.loads(exchange.sent)
        document = parse(sent["query"])
        operation = _operation(document, sent.get("operationName"))
        name = f"{operation.operation.value} {operation.name.value if operation.name else '(unnamed)'}"
        for what in (*self.check_text(sent["query"]), *self._variables(operation, sent.get("variables") or {})):
            yield Finding(name, "request", "/", what)
        for key in sent.keys() - {"query", "variables", "operationName"}:
            yield Finding(name, "request", "/", f"unknown key {key!r}")
        if exchange.status == 200:
            for place, what in self._answer(document, operation, json.loads(exchange.answered)):
                yield Finding(name, "answer", place, what)

    def _variables(self, operation: OperationDefinitionNode, given: Mapping[str, Any]) -> Iterator[str]:
        definitions = operation.variable_definitions or ()
        declared = {definition.variable.name.value for definition in definitions}
        yield from (f"unknown variable ${name}" for name in sorted(given.keys() - declared))
        values = get_variable_values(self.schema, definitions, dict(given))
        if isinstance(values, list):
            yield from (error.message for error in values)

    def _answer(
        self, document: DocumentNode, operation: OperationDefinitionNode, body: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        """Data, errors and extensions are all that an answer may have (GraphQL specification, section 7.1)."""
        for key in body.keys() - {"data", "errors", "extensions"}:
            yield "/", f"unknown key {key!r}"
        for error in body.get("errors", ()):
            if "message" not in error or error.keys() - {"message", "locations", "path", "extensions", "type"}:
                yield "/errors/*", f"isn't an error: {sorted(error)}"
        if "errors" not in body and body.get("data") is None:
            yield "/data", "neither data nor errors"
        if body.get("data") is not None:
            fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
            root = self.schema.get_root_type(operation.operation)
            walk = _Walk(self.schema, fragments)
            yield from walk.object(root, operation.selection_set, body["data"], "/data")


class _Walk:
    """Goes through an answer along the query."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def object(self, type_: Any, selection: SelectionSetNode, value: Any, place: str) -> Iterator[tuple[str, str]]:
        """An object must have the selected fields, and no other."""
        if not isinstance(value, dict):
            yield place, f"expected {type_.name}"
            return
        concrete = self._schema.get_type(str(value.get("__typename", type_.name)))
        if concrete is None:
            yield place, f"{value['__typename']!r} is no type"
        elif is_abstract_type(concrete):
            tries = [list(self._as(one, selection, value, place)) for one in self._candidates(concrete, selection)]
            yield from min(tries, key=len)
        else:
            yield from self._as(concrete, selection, value, place)

    def _as(self, type_: Any, selection: SelectionSetNode, value: Any, place: str) -> Iterator[tuple[str, str]]:
        fields = dict(self._fields(type_, selection))
        for key in value.keys() - fields.keys():
            yield place, f"unknown key {key!r}"
        for key, field in fields.items():
            if key not in value:
                yield place, f"missing key {key!r}"
            elif field.name.value != "__typename":
                yield from self._value(type_.fields[field.name.value].type, field, value[key], f"{place}/{key}")

    def _candidates(self, type_: Any, selection: SelectionSetNode) -> list[Any]:
        """What an object without `__typename` may be: the types that fragments name, or else any other."""
        possible = list(self._schema.get_possible_types(type_))
        conditions = {condition.name for node in selection.selections if (condition := self._condition(node))}
        named = [one for one in possible if one.name in conditions]
        return [*named, *[one for one in possible if one not in named][:1]]

    def _value(self, type_: Any, field: FieldNode, value: Any, place: str) -> Iterator[tuple[str, str]]:
        if value is None:
            if is_non_null_type(type_):
                yield place, f"null, and {type_} is never null"
            return
        type_ = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if is_list_type(type_):
            for item in value if isinstance(value, list) else ():
                yield from self._value(type_.of_type, field, item, f"{place}/*")
            if not isinstance(value, list):
                yield place, f"expected a list of {type_.of_type}"
        elif field.selection_set:
            yield from self.object(type_, field.selection_set, value, place)
        elif isinstance(type_, GraphQLEnumType):
            if value not in type_.values:
                yield place, f"{value!r} is no {type_.name}"
        elif not isinstance(value, _SCALARS.get(type_.name, (str, int, float, bool, dict, list))):
            yield place, f"{value!r} is no {type_.name}"

    def _fields(self, type_: Any, selection: SelectionSetNode) -> Iterator[tuple[str, FieldNode]]:
        """The fields that are selected on an object of that type, by their key in the answer; fragments are merged."""
        for node in selection.selections:
            if isinstance(node, FieldNode):
                yield (node.alias or node.name).value, node
            elif self._applies(self._condition(node) or type_, type_):
                yield from self._fields(type_, self._part(node).selection_set)

    def _part(self, node: SelectionNode) -> InlineFragmentNode | FragmentDefinitionNode:
        part = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
        if not isinstance(part, InlineFragmentNode | FragmentDefinitionNode):
            raise AssertionError(f"an unknown selection: {part.kind}")
        return part

    def _condition(self, node: SelectionNode) -> Any:
        """The type that a fragment is on; None for a field, and for a fragment on whatever it stands in."""
        condition = None if isinstance(node, FieldNode) else self._part(node).type_condition
        return self._schema.get_type(condition.name.value) if condition else None

    def _applies(self, condition: Any, type_: Any) -> bool:
        return condition is type_ or (is_abstract_type(condition) and self._schema.is_sub_type(condition, type_))


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    found = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    return next(d for d in found if name is None or (d.name and d.name.value == name))


def query_texts() -> dict[str, str]:
    """Every GraphQL query that stands as text in a module `onboard.connectors.github.graphql…`, by module and name."""
    texts: dict[str, str] = {}
    for module in pkgutil.iter_modules(onboard.connectors.__path__):
        if module.name.startswith("github_graphql"):
            loaded = vars(importlib.import_module(f"onboard.connectors.{module.name}"))
            texts |= {f"{module.name}.{name}": text for name, text in loaded.items() if _is_query(text)}
    return texts


def _is_query(value: object) -> bool:
    if not isinstance(value, str) or "{" not in value:
        return False
    try:
        return any(isinstance(node, OperationDefinitionNode) for node in parse(value).definitions)
    except (GraphQLSyntaxError, GraphQLError):
        return False
