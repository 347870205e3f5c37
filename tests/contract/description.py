"""A vendor's description of its API: which operation a request is, and what is wrong with it or with its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs

from tests.contract.schemas import Components, problems

VERBS = ("get", "put", "post", "delete", "patch", "head", "options")
JSON = "application/json"
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer as the sandbox recorded them."""

    method: str
    path: str
    query: str
    sent_type: str
    sent: str
    status: int | None
    answered_type: str
    answered: str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that the description doesn't allow: `GET /users answer 200 /*/login: …`."""

    operation: str
    part: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.operation} {self.part} {self.place}: {self.what}"


@dataclass(frozen=True)
class Operation:
    """One operation; `document` is the whole description, `raw` what it says of this one."""

    method: str
    template: str
    raw: Mapping[str, Any]
    shared: Sequence[Mapping[str, Any]]
    document: Mapping[str, Any]
    components: Components

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @cached_property
    def parameters(self) -> list[Mapping[str, Any]]:
        """All parameters. What is said to be in the path, which has no place for it, is in the query."""
        listed = [_resolved(self.document, item) for item in (*self.shared, *self.raw.get("parameters", ()))]
        return [
            {**item, "in": "query"} if item["in"] == "path" and f"{{{item['name']}}}" not in self.template else item
            for item in listed
        ]

    def is_mounted_in(self, path: str) -> bool:
        """Whether the path has an engine of this operation where it is mounted unless told otherwise."""
        places = {item["name"]: item["schema"].get("default") for item in self.parameters if item["in"] == "path"}
        mounts = {name: place for name, place in places.items() if place is not None}
        steps = dict(zip(self.template.split("/"), path.split("/"), strict=False))
        return bool(mounts) and all(steps.get(f"{{{name}}}") == place for name, place in mounts.items())

    @cached_property
    def query(self) -> dict[str, Mapping[str, Any]]:
        """Query parameters by name."""
        return {item["name"]: item for item in self.parameters if item["in"] == "query"}

    @cached_property
    def bodies(self) -> Mapping[str, Any]:
        """What may be sent, by media type."""
        body = _resolved(self.document, self.raw.get("requestBody", {}))
        return dict(body.get("content", {}))

    @cached_property
    def _validators(self) -> dict[tuple[str, ...], jsonschema_rs.Validator]:
        return {}

    def validator(self, schema: Mapping[str, Any], *place: str) -> jsonschema_rs.Validator:
        """The validator of a schema that stands at `place` in this operation, made once."""
        if place not in self._validators:
            self._validators[place] = self.components.validator(schema)
        return self._validators[place]

    def response(self, status: int, *, failed: bool) -> Mapping[str, Any] | None:
        """What is said of an answer; None for a status that isn't mentioned. A Slack that `failed` says 200 too."""
        responses = self.raw.get("responses", {})
        keys = ["default"] if failed else [str(status), f"{str(status)[0]}XX"]
        found = next((responses[key] for key in keys if key in responses), None)
        return None if found is None else _resolved(self.document, found)


class Description:
    """One vendor's API. `prefix` is where its paths begin on our ports; `error` is the schema of its error bodies.

    With `requests_only`, answers aren't described. Path parameters named in `deep` may hold slashes.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        prefix: str = "",
        error: Mapping[str, Any] | None = None,
        ok_flag: bool = False,
        requests_only: bool = False,
        deep: Collection[str] = (),
    ) -> None:
        self.document = document
        self.prefix = prefix
        self.components = Components(document.get("components", {}).get("schemas", {}))
        self._error = self.components.validator(error or {})
        self._ok_flag = ok_flag
        self._requests_only = requests_only
        self.operations = [
            Operation(verb.upper(), path, item[verb], item.get("parameters", ()), document, self.components)
            for path, item in document["paths"].items()
            for verb in VERBS
            if verb in item
        ]
        self._routes = sorted(((_pattern(op.template, deep), op) for op in self.operations), key=_rank)

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation that a request on our ports is; None for one that isn't described."""
        if not path.startswith(self.prefix):
            return None
        local = path.removeprefix(self.prefix)
        found = [op for pattern, op in self._routes if op.method == method and pattern.fullmatch(local)]
        alike = [op for op in found if op.template.count("{") == found[0].template.count("{")]
        return next((op for op in alike if op.is_mounted_in(local)), found[0] if found else None)

    def check(self, exchange: Exchange) -> Iterator[Finding]:
        """What the description doesn't allow in a request and its answer."""
        operation = self.operation(exchange.method, exchange.path)
        if operation is None:
            yield Finding(f"{exchange.method} {exchange.path}", "request", "/", "isn't described")
            return
        yield from self.check_request(operation, exchange)
        if not self._requests_only and exchange.status is not None:
            yield from self.check_answer(operation, exchange)

    def check_request(self, operation: Operation, exchange: Exchange) -> Iterator[Finding]:
        """What is wrong with the query and the body."""
        for place, what in (*_query_problems(operation, exchange.query), *_body_problems(operation, exchange)):
            yield Finding(str(operation), "request", place, what)

    def check_answer(self, operation: Operation, exchange: Exchange) -> Iterator[Finding]:
        """What is wrong with the status and the body of the answer."""
        status = exchange.status or 0
        body = _parsed(exchange.answered)
        failed = self._ok_flag and isinstance(body, dict) and body.get("ok") is False
        told = operation.response(status, failed=failed)
        part = f"answer {'ok:false' if failed else status}"
        for place, what in self._answer_problems(operation, told, status, body, exchange):
            yield Finding(str(operation), part, place, what)

    def _answer_problems(
        self, operation: Operation, told: Mapping[str, Any] | None, status: int, body: Any, exchange: Exchange
    ) -> Iterator[tuple[str, str]]:
        content = (told or {}).get("content", {})
        media = next((kind for kind in content if kind.startswith(_media(exchange.answered_type))), None)
        if content and media and content[media].get("schema"):
            if body is _ABSENT:
                yield "/", "no body, and one is described"
                return
            place = ("answer", str(status), media, str(told is operation.raw.get("responses", {}).get("default")))
            yield from problems(operation.validator(content[media]["schema"], *place), body)
        elif status >= 400:
            yield from problems(self._error, body) if body is not _ABSENT else ()
        elif told is None:
            yield "/", "this status isn't described"
        elif content:
            yield "/", f"media type {exchange.answered_type or 'none'}: expected {', '.join(content)}"
        elif body is not _ABSENT:
            yield "/", "a body, and none is described"


def _query_problems(operation: Operation, query: str) -> Iterator[tuple[str, str]]:
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if name not in operation.query:
            yield f"?{name}", "unknown query key"
            continue
        schema = operation.query[name].get("schema", {})
        for _, what in problems(operation.validator(schema, "query", name), coerced(schema, values)):
            yield f"?{name}", what
    for name, item in operation.query.items():
        if item.get("required") and name not in given:
            yield f"?{name}", "missing query key"


def _body_problems(operation: Operation, exchange: Exchange) -> Iterator[tuple[str, str]]:
    if not exchange.sent:
        if _resolved(operation.document, operation.raw.get("requestBody", {})).get("required"):
            yield "body", "no body, and one is required"
        return
    kind = _media(exchange.sent_type)
    if kind not in operation.bodies:
        yield "body", f"media type {kind or 'none'}: expected {', '.join(operation.bodies) or 'no body'}"
        return
    schema = operation.bodies[kind].get("schema", {})
    instance = json.loads(exchange.sent) if kind == JSON else _form(schema, exchange.sent)
    for place, what in problems(operation.validator(schema, "body", kind), instance):
        yield f"body {place}", what


def coerced(schema: Mapping[str, Any], values: Sequence[str]) -> Any:
    """What a query or a form says as text, as the type that the schema wants; as text where it isn't of that type."""
    if schema.get("type") == "array":
        items = values if len(values) > 1 else values[0].split(",")
        return [coerced(schema.get("items", {}), [item]) for item in items]
    text = values[-1]
    if schema.get("type") in ("integer", "number") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _form(schema: Mapping[str, Any], sent: str) -> dict[str, Any]:
    known = schema.get("properties", {})
    pairs = parse_qsl(sent, keep_blank_values=True)
    return {name: coerced(known.get(name, {}), [value]) for name, value in pairs}


def _parsed(answered: str) -> Any:
    if not answered:
        return _ABSENT
    try:
        return json.loads(answered)
    except ValueError:
        return answered


def _media(kind: str) -> str:
    return kind.partition(";")[0].strip().lower() or JSON


def _resolved(document: Mapping[str, Any], item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference inside the description leads to."""
    while "$ref" in item:
        target: Any = document
        for step in item["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        item = target
    return item


def _pattern(template: str, deep: Collection[str]) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", template)
    return re.compile("".join(_part(part, deep) for part in parts))


def _part(part: str, deep: Collection[str]) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    return ".+" if part.strip("{}") in deep else "[^/]+"


def _rank(route: tuple[re.Pattern[str], Operation]) -> tuple[int, int]:
    """Literal paths come before those with parameters."""
    return route[1].template.count("{"), -len(route[1].template)
