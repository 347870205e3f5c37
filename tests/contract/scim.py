"""SCIM as an OpenAPI document, made of the schemas of RFC 7643: that RFC describes resources, not paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_TYPES: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "string"},
    "reference": {"type": "string"},
    "binary": {"type": "string"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "decimal": {"type": "number"},
    "dateTime": {"type": "string", "format": "date-time"},
}
#: What every resource has besides its schema's attributes (RFC 7643, section 3.1).
_COMMON: Mapping[str, Any] = {
    "schemas": {"type": "array", "items": {"type": "string"}},
    "id": {"type": "string"},
    "externalId": {"type": "string"},
    "meta": {
        "type": "object",
        "properties": {
            "resourceType": {"type": "string"},
            "created": {"type": "string", "format": "date-time"},
            "lastModified": {"type": "string", "format": "date-time"},
            "location": {"type": "string", "format": "uri"},
            "version": {"type": "string"},
        },
    },
}


def scim_document(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The paths that Slack has, with bodies by the core schemas User and Group."""
    user = _resource(schemas["urn:ietf:params:scim:schemas:core:2.0:User"]["attributes"])
    group = _resource(schemas["urn:ietf:params:scim:schemas:core:2.0:Group"]["attributes"])
    change = {key: value for key, value in user.items() if key != "required"}
    one = {"$ref": "#/components/schemas/User"}
    user_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "SCIM", "version": "1"},
        "paths": {
            "/Users": {"get": _list("User")},
            "/Groups": {"get": _list("Group")},
            "/Users/{id}": {
                "parameters": [user_id],
                "get": {"responses": _answers(one)},
                "patch": {
                    "requestBody": {"content": {"application/json": {"schema": change}}},
                    "responses": _answers(one),
                },
                "delete": {"responses": {"200": {"description": "Deactivated"}}},
            },
        },
        "components": {"schemas": {"User": user, "Group": group}},
    }


def _list(resource: str) -> dict[str, Any]:
    """A list of resources (RFC 7644, sections 3.4.2 and following)."""
    numbers = [{"name": name, "in": "query", "schema": {"type": "integer"}} for name in ("startIndex", "count")]
    listed = {
        "type": "object",
        "required": ["schemas", "totalResults", "Resources"],
        "properties": {
            "schemas": _COMMON["schemas"],
            "totalResults": {"type": "integer"},
            "startIndex": {"type": "integer"},
            "itemsPerPage": {"type": "integer"},
            "Resources": {"type": "array", "items": {"$ref": f"#/components/schemas/{resource}"}},
        },
    }
    filter_ = {"name": "filter", "in": "query", "schema": {"type": "string"}}
    return {"parameters": [filter_, *numbers], "responses": _answers(listed)}


def _answers(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}


def _resource(attributes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    made = _object(attributes)
    made["properties"] = {**_COMMON, **made["properties"]}
    made["required"] = ["schemas", "id", *made["required"]]
    return made


def _object(attributes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    listed = list(attributes)
    return {
        "type": "object",
        "properties": {attribute["name"]: _attribute(attribute) for attribute in listed},
        "required": [attribute["name"] for attribute in listed if attribute.get("required")],
    }


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    complex_ = attribute["type"] == "complex"
    single = _object(attribute["subAttributes"]) if complex_ else dict(_TYPES[attribute["type"]])
    return {"type": "array", "items": single} if attribute.get("multiValued") else single
