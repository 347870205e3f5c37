"""Schemas of OpenAPI 3.0 as JSON Schema 2020-12, made strict: a key that a description doesn't know is an error.

`unevaluatedProperties` does that through `$ref` and `allOf`, where `additionalProperties` would see one branch only. An
object that is described without any properties stays free, as does one that says what else it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

Schema = dict[str, Any]

_KEPT = (
    "additionalProperties",
    "enum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "required",
    "type",
    "uniqueItems",
)
_COMPONENTS = "#/components/schemas/"
_WORDY = {"description", "example", "examples", "externalDocs", "title"}


def strict(schema: Mapping[str, Any], *, part: bool = False) -> Schema:
    """The schema, strict. `part`: it is one branch of a composition, so the keys of its siblings are known too."""
    schema = _unwrapped(schema)
    if not schema.keys() - _WORDY - {"nullable"}:
        return {"type": "null"} if schema.get("nullable") else {}
    if schema.get("nullable") and "type" not in schema:
        return _nullable(schema, part=part)
    made = {key: schema[key] for key in _KEPT if key in schema}
    if "$ref" in schema:
        made = {"$ref": schema["$ref"].replace(_COMPONENTS, "#/$defs/")}
    if schema.get("nullable"):
        made |= _or_null(made)
    made |= _nested(schema)
    return made | _closed(schema, made, part=part)


def _unwrapped(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Slack's description was converted from a format without `anyOf`: it says `items: {anyOf: …}` and no type."""
    items = schema.get("items")
    if "type" not in schema and isinstance(items, Mapping) and "anyOf" in items:
        return {"anyOf": items["anyOf"]}
    return schema


def _nullable(schema: Mapping[str, Any], *, part: bool) -> Schema:
    rest = {key: value for key, value in schema.items() if key != "nullable"}
    return {"if": {"type": "null"}, "else": strict(rest, part=part)}


def _or_null(made: Schema) -> Schema:
    enum = {"enum": [*made["enum"], None]} if "enum" in made else {}
    return {"type": [made["type"], "null"], **enum}


def _nested(schema: Mapping[str, Any]) -> Schema:
    """What stands inside. Of `oneOf` it is enough that one fits: the descriptions' alternatives overlap."""
    made: Schema = {}
    if "properties" in schema:
        made["properties"] = {name: strict(inner) for name, inner in schema["properties"].items()}
    if isinstance(schema.get("items"), Mapping):
        made["items"] = strict(schema["items"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        made["additionalProperties"] = strict(schema["additionalProperties"])
    if "allOf" in schema:
        made["allOf"] = [strict(inner, part=True) for inner in schema["allOf"]]
    if alternatives := [strict(inner, part=True) for key in ("anyOf", "oneOf") for inner in schema.get(key, ())]:
        made["anyOf"] = alternatives
    return made


def _closed(schema: Mapping[str, Any], made: Schema, *, part: bool) -> Schema:
    composed = any(key in made for key in ("$ref", "allOf", "anyOf"))
    if "additionalProperties" in made or not (composed or schema.get("type", "object") == "object"):
        return {}
    if not composed and "properties" not in made:
        return {"additionalProperties": True}
    return {} if part else {"unevaluatedProperties": False}


class Components:
    """The named schemas of one description, prepared when they are first needed."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._strict: dict[str, Schema] = {}

    def validator(self, schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
        """A validator for a schema of the description, with all that it refers to."""
        root = strict(schema)
        needed: dict[str, Schema] = {}
        waiting = list(references(root))
        while waiting:
            name = waiting.pop().rpartition("/")[2]
            if name not in needed:
                needed[name] = self._prepared(name)
                waiting += references(needed[name])
        return jsonschema_rs.Draft202012Validator({**root, "$defs": needed}, validate_formats=True)

    def _prepared(self, name: str) -> Schema:
        if name not in self._strict:
            self._strict[name] = strict(self._raw[name], part=True)
        return self._strict[name]


def problems(validator: jsonschema_rs.Validator, instance: Any) -> Iterator[tuple[str, str]]:
    """What is wrong, as pairs of a place (`/values/*/name`) and words."""
    yield from _told(list(validator.iter_errors(instance)))


def _told(errors: Sequence[jsonschema_rs.ValidationError]) -> Iterator[tuple[str, str]]:
    """Each error by itself. Where no alternative fits, the nearest one's errors, and not also every key as unknown."""
    misfits = {_place(error) for error in errors if isinstance(error.kind, Kind.AnyOf)}
    for error in errors:
        kind, place = error.kind, _place(error)
        if isinstance(kind, Kind.AnyOf):
            yield from _told(min(kind.context, key=_distance))
        elif isinstance(kind, Kind.UnevaluatedProperties | Kind.AdditionalProperties):
            yield from ((place, f"unknown key {key!r}") for key in kind.unexpected if place not in misfits)
        elif isinstance(kind, Kind.Required):
            yield place, f"missing key {kind.property!r}"
        else:
            yield place, error.message[:160]


def _place(error: jsonschema_rs.ValidationError) -> str:
    return "/" + "/".join("*" if isinstance(step, int) else str(step) for step in error.instance_path)


def _distance(errors: Sequence[jsonschema_rs.ValidationError]) -> tuple[bool, int]:
    """How far an alternative is from fitting: the wrong type at its root is the farthest."""
    return any(error.kind.name == "type" and not error.instance_path for error in errors), len(list(_told(errors)))


def references(schema: Any) -> Iterator[str]:
    """Every `$ref` inside, as it stands there."""
    if isinstance(schema, Mapping):
        if isinstance(found := schema.get("$ref"), str):
            yield found
        for inner in schema.values():
            yield from references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from references(inner)
