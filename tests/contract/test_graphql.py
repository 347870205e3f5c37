"""Our GraphQL queries against GitHub's own schema; the answers to them are checked in test_exchanges."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.description import Exchange
from tests.contract.graph import Graph, query_texts
from tests.contract.vendors import Vendors

SDL = """
type Query { organization(login: String!): Organization }
interface Actor { login: String! }
enum Role { ADMIN MEMBER }
type Organization implements Actor { login: String! members(first: Int): [Edge!] owner: Actor }
type Edge { role: Role node: User }
type User implements Actor { login: String! databaseId: Int }
"""
QUERY = """
query Members($org: String!) {
  organization(login: $org) { ...named members(first: 3) { role user: node { login databaseId } } owner {
    __typename login ... on User { databaseId } } }
}
fragment named on Organization { login }
"""
MEMBER = {"role": "ADMIN", "user": {"login": "ada", "databaseId": 7}}


def findings(answer: Any, query: str = QUERY, **variables: Any) -> list[str]:
    given = variables or ({"org": "acme"} if "$org" in query else {})
    sent = json.dumps({"query": query, "variables": given})
    kind = "application/json"
    exchange = Exchange("POST", "/graphql", "", kind, sent, 200, kind, json.dumps(answer))
    return [f"{finding.part} {finding.place}: {finding.what}" for finding in Graph(SDL).check(exchange)]


def organization(**changed: Any) -> dict[str, Any]:
    owner = {"__typename": "User", "login": "ada", "databaseId": 7}
    return {"data": {"organization": {"login": "acme", "members": [MEMBER], "owner": owner, **changed}}}


def test_an_answer_to_the_query_has_no_findings() -> None:
    assert findings(organization()) == []
    assert findings(organization(members=None, owner={"__typename": "Organization", "login": "acme"})) == []
    assert findings({"data": {"organization": None}, "errors": [{"message": "Not found", "type": "NOT_FOUND"}]}) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"name": "Acme"}, "answer /data/organization: unknown key 'name'"),
        ({"login": None}, "answer /data/organization/login: null, and String! is never null"),
        ({"members": [{**MEMBER, "role": "OWNER"}]}, "answer /data/organization/members/*/role: 'OWNER' is no Role"),
        ({"members": [{"role": "ADMIN"}]}, "answer /data/organization/members/*: missing key 'user'"),
        ({"members": MEMBER}, "answer /data/organization/members: expected a list of Edge!"),
        (
            {"owner": {"__typename": "User", "login": "ada", "databaseId": "7"}},
            "answer /data/organization/owner/databaseId: '7' is no Int",
        ),
    ],
)
def test_an_answer_that_the_schema_does_not_allow_is_found(changed: dict[str, Any], found: str) -> None:
    assert findings(organization(**changed)) == [found]


def test_an_object_whose_type_is_not_told_is_any_of_those_that_fragments_name() -> None:
    query = """{ organization(login: "acme") { owner {
        ... on Organization { login members { role } } ... on User { login databaseId } } } }"""

    def owner(**fields: Any) -> list[str]:
        return findings({"data": {"organization": {"owner": fields}}}, query)

    assert owner(login="ada", databaseId=7) == []
    assert owner(login="acme", members=[{"role": "ADMIN"}]) == []
    assert owner(login="ada", databaseId="7") == ["answer /data/organization/owner/databaseId: '7' is no Int"]


def test_a_query_and_variables_that_the_schema_does_not_allow_are_found() -> None:
    wrong = QUERY.replace("first: 3", "last: 3")

    assert findings(organization(), wrong) == ["request /: Unknown argument 'last' on field 'Organization.members'."]
    assert "unknown variable $cursor" in "".join(findings(organization(), org="acme", cursor="x"))
    assert len(findings(organization(), org=7)) == 1


def test_every_query_text_of_our_connectors_keeps_to_githubs_schema(vendors: Vendors) -> None:
    wrong = {name: problems for name, text in query_texts().items() if (problems := vendors.graph.check_text(text))}

    assert wrong == {}
