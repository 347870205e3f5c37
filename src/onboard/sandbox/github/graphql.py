"""The simulated GitHub's GraphQL API: a query checked against its limits, executed, and answered in GitHub's manner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    build_schema,
    execute_sync,
    get_named_type,
    parse,
    validate,
    value_from_ast_untyped,
)

from onboard.sandbox.github.graph import Graph
from onboard.sandbox.github.http import Call, GitHubError, Reply
from onboard.sandbox.github.limits import Budget

#: What one query may ask for at most, and one connection of it.
MOST_NODES = 500_000
MOST_ITEMS = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """What a query may return at most, and how many points it takes from the hourly budget."""

    nodes: int
    points: int


class Refusal(Exception):
    """What GitHub says of a query that it doesn't execute: a type (`RATE_LIMITED`) and a message."""

    def __init__(self, kind: str | None, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@cache
def schema() -> GraphQLSchema:
    """The part of GitHub's schema that is simulated."""
    return build_schema(files("onboard.sandbox.github").joinpath("schema.graphql").read_text("utf-8"))


def answer(call: Call, budget: Budget, label: str) -> Reply:
    """POST /graphql: 200 for whatever can be parsed, with `errors` where something failed; partial data beside them.

    Raises GitHubError 400 for a body without a query.
    """
    query, variables = call.body.get("query"), call.body.get("variables") or {}
    if not isinstance(query, str) or not isinstance(variables, dict):
        raise GitHubError(400, "A query attribute must be specified and must be a string.")
    limit = call.org.graphql_points
    try:
        document = _document(query)
        cost = _cost(document, variables)
        if budget.left(label, limit)["remaining"] < cost.points:
            raise Refusal("RATE_LIMITED", f"API rate limit exceeded for user ID {call.actor.id}.")
        left = budget.spend(label, limit, cost.points)
        body = _executed(document, variables, Graph(call, left | {"cost": cost.points, "nodeCount": cost.nodes}))
    except Refusal as refusal:
        error = {"message": str(refusal)} | ({"type": refusal.kind} if refusal.kind else {})
        body = {"errors": [error]}
    return Reply(body, headers=budget.headers(label, limit))


@lru_cache(64)
def _document(query: str) -> DocumentNode:
    """The parsed query. Raises Refusal where it isn't one of this schema."""
    try:
        document = parse(query)
    except GraphQLError as error:
        raise Refusal(None, f"Parse error: {error.message}") from error
    if problems := validate(schema(), document):
        raise Refusal("undefinedField", problems[0].message)
    return document


def _executed(document: DocumentNode, variables: Mapping[str, Any], graph: Graph) -> dict[str, Any]:
    result = execute_sync(schema(), document, root_value=graph.root(), variable_values=dict(variables))
    if not isinstance(result, ExecutionResult):
        raise AssertionError("the resolvers are synchronous")
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [_error(error) for error in result.errors]
    return body


def _error(error: GraphQLError) -> dict[str, Any]:
    """An error with its type beside the path, where GitHub puts it."""
    kind = (error.extensions or {}).get("type")
    shown: dict[str, Any] = {"type": kind} if kind else {}
    return shown | {"path": error.path, "message": error.message}


def _cost(document: DocumentNode, variables: Mapping[str, Any]) -> Cost:
    """By the rules of GitHub's documentation: nodes as if every page were full; requests of connections ÷ 100.

    Raises Refusal for a connection without `first` or `last`, one of more than 100, and for too many nodes.
    """
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    asked = [
        each
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
        for each in _connections(definition.selection_set, schema().query_type, 1, fragments, variables)
    ]
    nodes = sum(times * size for times, size in asked)
    if nodes > MOST_NODES:
        message = (
            f"This query requests up to {nodes:,} possible nodes which exceeds the maximum limit of {MOST_NODES:,}."
        )
        raise Refusal("MAX_NODE_LIMIT_EXCEEDED", message)
    return Cost(nodes, max(1, round(sum(times for times, _ in asked) / 100)))


def _connections(
    selections: SelectionSetNode | None,
    within: Any,
    times: int,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
) -> Iterator[tuple[int, int]]:
    """Every connection asked for: how often, and how many items each time."""
    for selection in selections.selections if selections else ():
        if isinstance(selection, FieldNode):
            if isinstance(within, GraphQLObjectType) and selection.name.value in within.fields:
                type_ = get_named_type(within.fields[selection.name.value].type)
                size = _size(selection, variables) if type_.name.endswith("Connection") else None
                if size is not None:
                    yield times, size
                elif selection.name.value == "nodes" and within is schema().query_type:
                    size = len(_arguments(selection, variables).get("ids") or ())
                yield from _connections(selection.selection_set, type_, times * (size or 1), fragments, variables)
        else:
            inner = fragments[selection.name.value] if isinstance(selection, FragmentSpreadNode) else selection
            yield from _fragment(inner, within, times, fragments, variables)


def _fragment(
    fragment: InlineFragmentNode | FragmentDefinitionNode | Any,
    within: Any,
    times: int,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
) -> Iterator[tuple[int, int]]:
    condition = fragment.type_condition
    inside = schema().type_map[condition.name.value] if condition else within
    yield from _connections(fragment.selection_set, inside, times, fragments, variables)


def _arguments(field: FieldNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name.value: value_from_ast_untyped(each.value, dict(variables)) for each in field.arguments or ()}


def _size(field: FieldNode, variables: Mapping[str, Any]) -> int:
    """How many items of a connection are asked for."""
    name = field.name.value
    given = _arguments(field, variables)
    bound = next((which for which in ("first", "last") if given.get(which, Undefined) not in (None, Undefined)), None)
    if bound is None:
        message = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
        raise Refusal("MISSING_PAGINATION_BOUNDARIES", message)
    size = given[bound]
    if not isinstance(size, int) or not 0 <= size <= MOST_ITEMS:
        message = (
            f"Requesting {size} records on the `{name}` connection exceeds the `{bound}` limit of {MOST_ITEMS} records."
        )
        raise Refusal("EXCESSIVE_PAGINATION", message)
    return size
