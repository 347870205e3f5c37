"""The checks themselves: what a description doesn't know must be found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import missing
from tests.contract.description import Description, Exchange, Finding
from tests.contract.vendors import SETTING, Allowed, Rules

PERSON = {
    "type": "object",
    "required": ["login"],
    "properties": {
        "login": {"type": "string"},
        "name": {"type": "string", "nullable": True},
        "team": {"allOf": [{"$ref": "#/components/schemas/Named"}, {"properties": {"size": {"type": "integer"}}}]},
        "boss": {"anyOf": [{"$ref": "#/components/schemas/Named"}, {"type": "string"}], "nullable": True},
        "extra": {"type": "object"},
    },
}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/people/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "parameters": [
                    {"name": "page", "in": "query", "schema": {"type": "integer"}},
                    {"name": "kind", "in": "query", "required": True, "schema": {"enum": ["full", "short"]}},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Person"}}}}
                },
            },
            "put": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Person"}}},
                },
                "responses": {"204": {"description": "Done"}},
            },
        },
        "/people/all": {"get": {"responses": {"204": {}}}},
    },
    "components": {
        "schemas": {"Person": PERSON, "Named": {"type": "object", "properties": {"name": {"type": "string"}}}}
    },
}
ERROR = {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
DESCRIPTION = Description(DOCUMENT, prefix="/v1", error=ERROR)


def findings(
    method: str = "GET", path: str = "/people/7", query: str = "kind=full", sent: str = "", **answer: Any
) -> list[str]:
    """What is found in an exchange that is right, but for what is given."""
    status = answer.pop("status", 200 if method == "GET" else 204)
    body = json.dumps(answer.pop("body", {"login": "marta"})) if status != 204 else ""
    kind = "application/json"
    exchange = Exchange(method, f"/v1{path}", query, kind, sent, status, answer.pop("kind", kind), body)
    return [f"{finding.part} {finding.place}: {finding.what}" for finding in DESCRIPTION.check(exchange)]


def test_a_request_and_an_answer_as_described_have_no_findings() -> None:
    body = {"login": "marta", "name": None, "team": {"name": "a", "size": 1}, "boss": None, "extra": {"free": 1}}

    assert findings(query="kind=short&page=2", body=body) == []
    assert findings(path="/people/all", query="", status=204) == []
    assert findings("PUT", query="", sent='{"login": "marta"}') == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=full&per_page=3", "request ?per_page: unknown query key"),
        ("kind=full&page=two", 'request ?page: "two" is not of type "integer"'),
        ("kind=long", 'request ?kind: "long" is not one of "full" or "short"'),
        ("page=2", "request ?kind: missing query key"),
    ],
)
def test_a_query_that_is_not_described_is_found(query: str, found: str) -> None:
    assert findings(query=query) == [found]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ('{"login": "marta", "admin": true}', "request body /: unknown key 'admin'"),
        ('{"login": "marta", "team": {"nmae": ""}}', "request body /team: unknown key 'nmae'"),
        ('{"name": "Marta"}', "request body /: missing key 'login'"),
        ("", "request body: no body, and one is required"),
    ],
)
def test_a_body_that_is_not_described_is_found(sent: str, found: str) -> None:
    assert findings("PUT", query="", sent=sent) == [found]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"login": "marta", "e-mail": ""}, "answer 200 /: unknown key 'e-mail'"),
        ({"login": None}, 'answer 200 /login: null is not of type "string"'),
        ({"login": "marta", "boss": {"name": 3}}, 'answer 200 /boss/name: 3 is not of type "string"'),
        ({"login": "marta", "boss": {"nmae": ""}}, "answer 200 /boss: unknown key 'nmae'"),
    ],
)
def test_an_answer_that_is_not_described_is_found(body: Any, found: str) -> None:
    assert findings(body=body) == [found]


def test_a_status_a_media_type_and_a_path_that_are_not_described_are_found() -> None:
    assert findings(status=201) == ["answer 201 /: this status isn't described"]
    assert findings(kind="text/html") == ["answer 200 /: media type text/html: expected application/json"]
    assert findings(path="/persons") == ["request /: isn't described"]
    assert findings("DELETE") == ["request /: isn't described"]


def test_an_error_that_is_not_described_must_still_be_worded_as_the_vendor_does() -> None:
    assert findings(status=404, body={"message": "Not Found"}) == []
    assert findings(status=404, body={"error": "x"}) == [
        "answer 404 /: missing key 'message'",
        "answer 404 /: unknown key 'error'",
    ]


def test_an_exception_covers_what_it_names_and_is_told_when_it_covers_nothing() -> None:
    rules = Rules(
        (), (Allowed("a", "GET /x *: unknown key '*'", "why", fuzz=False), Allowed("a", "no", "", fuzz=False))
    )
    known, new = Finding("GET /x", "answer 200", "/", "unknown key 'a'"), Finding("GET /y", "answer 200", "/", "wrong")

    assert rules.left("a", [known, new, new]) == ["GET /y answer 200 /: wrong"]
    assert rules.left("b", [known]) == [str(known)]
    assert rules.unused("a", [known, new]) == ["no"]


def test_without_the_folder_it_is_said_which_setting_names_it(tmp_path: Path) -> None:
    assert SETTING in str(missing({}))
    assert "no folder" in str(missing({SETTING: str(tmp_path / "gone")}))
    assert missing({SETTING: str(tmp_path)}) is None


def test_every_exception_and_correction_has_its_reason() -> None:
    rules = Rules.read()

    assert all(len(entry.reason) > 20 for entry in rules.allowed)
    assert all(len(entry["reason"]) > 20 for entry in rules.corrections)
