"""The simulated GitHub's GraphQL API: its limits, its cursors, and what it answers where only a part may be seen."""

from __future__ import annotations

import gzip
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import requests
from github import Auth, Github
from graphql import GraphQLEnumType, GraphQLUnionType, build_schema, is_interface_type, is_object_type

from onboard.sandbox.client import SandboxClient
from tests.connectors.github.world import demo
from tests.sandbox.github.test_github import as_token, raw

ORG = 'organization(login: "acme")'


def ask(sandbox: SandboxClient, query: str, token: str | None = None, **variables: Any) -> requests.Response:
    return raw(sandbox, "POST", "/graphql", token, json={"query": query, "variables": variables})


def data(sandbox: SandboxClient, query: str, **variables: Any) -> Any:
    body = ask(sandbox, query, **variables).json()
    assert "errors" not in body, body
    return body["data"]


def refused(sandbox: SandboxClient, query: str) -> str:
    answer = ask(sandbox, query)
    assert answer.status_code == 200
    assert "data" not in answer.json()
    return str(answer.json()["errors"][0].get("type"))


def test_a_list_without_a_size_or_beyond_a_hundred_is_refused_with_status_200(sandbox: SandboxClient) -> None:
    members = "%s { membersWithRole%s { totalCount } }"

    assert refused(sandbox, f"{{ {members % (ORG, '')} }}") == "MISSING_PAGINATION_BOUNDARIES"
    assert refused(sandbox, f"{{ {members % (ORG, '(first: 101)')} }}") == "EXCESSIVE_PAGINATION"


def test_more_than_half_a_million_nodes_are_refused(sandbox: SandboxClient) -> None:
    nested = "repositories(first: 100) { nodes { collaborators(first: 100) { edges { node { login } } } } }"
    within = "repositories(first: 100) { edges { node { collaborators(first: 100) { totalCount } } } }"

    assert (
        refused(sandbox, f"{{ {ORG} {{ teams(first: 100) {{ nodes {{ {within} }} }} }} }}") == "MAX_NODE_LIMIT_EXCEEDED"
    )
    assert data(sandbox, f"{{ {ORG} {{ {nested} }} }}")


def test_an_exhausted_budget_answers_200_with_an_error(sandbox: SandboxClient) -> None:
    sandbox.reset(demo(graphql_points=2))
    query = f"{{ {ORG} {{ login }} rateLimit {{ cost remaining limit nodeCount }} }}"

    assert data(sandbox, query)["rateLimit"] == {"cost": 1, "remaining": 1, "limit": 2, "nodeCount": 0}
    data(sandbox, query)
    answer = ask(sandbox, query)

    assert answer.status_code == 200
    assert answer.json()["errors"][0]["type"] == "RATE_LIMITED"
    assert (answer.headers["X-RateLimit-Remaining"], answer.headers["X-RateLimit-Resource"]) == ("0", "graphql")
    assert raw(sandbox, "GET", "/orgs/acme").status_code == 200


def test_what_costs_more_requests_inside_costs_more_points(sandbox: SandboxClient) -> None:
    inner = "collaborators(first: 10) { totalCount } deployKeys(first: 1) { totalCount }"
    nested = f"repositories(first: 100) {{ nodes {{ {inner} }} }}"

    limit = data(sandbox, f"{{ {ORG} {{ {nested} }} rateLimit {{ cost nodeCount }} }}")["rateLimit"]

    assert limit == {"cost": 2, "nodeCount": 100 + 1000 + 100}


def test_cursors_lead_through_everything_once_forwards_and_backwards(sandbox: SandboxClient) -> None:
    query = (
        'query($first: Int, $last: Int, $after: String, $before: String) { organization(login: "acme") {'
        " membersWithRole(first: $first, last: $last, after: $after, before: $before)"
        " { edges { role node { login databaseId } } totalCount"
        " pageInfo { endCursor startCursor hasNextPage hasPreviousPage } } } }"
    )
    page = data(sandbox, query, first=2)["organization"]["membersWithRole"]
    seen = [edge["node"]["login"] for edge in page["edges"]]
    while page["pageInfo"]["hasNextPage"]:
        page = data(sandbox, query, first=2, after=page["pageInfo"]["endCursor"])["organization"]["membersWithRole"]
        seen += [edge["node"]["login"] for edge in page["edges"]]
    back = data(sandbox, query, last=1, before=page["pageInfo"]["startCursor"])["organization"]["membersWithRole"]

    assert seen == ["ada", "piet", "lena", "octo-admin", "onboard-bot"]
    assert back["edges"][0] == {"role": "ADMIN", "node": {"login": "octo-admin", "databaseId": 10004}}
    assert "errors" in ask(sandbox, query, first=2, after="bm9uc2Vuc2U=").json()


def test_a_wrong_token_is_401_and_nonsense_is_told(sandbox: SandboxClient) -> None:
    assert ask(sandbox, "{ viewer { login } }", token="ghp_wrong").status_code == 401
    assert raw(sandbox, "POST", "/graphql", json={}).status_code == 400
    assert "Parse error" in ask(sandbox, "{").json()["errors"][0]["message"]
    assert "errors" in ask(sandbox, "mutation { x }").json()


def test_what_one_may_not_see_is_null_with_an_error_that_names_the_path(sandbox: SandboxClient) -> None:
    query = f'{{ {ORG} {{ repository(name: "docs") {{ name collaborators(first: 5) {{ totalCount }} }} }} }}'
    sandbox.reset(demo(base_permission="read"))

    body = ask(sandbox, query, token=sandbox.person("ada").github["token"]).json()

    assert body["data"]["organization"]["repository"] == {"name": "docs", "collaborators": None}
    assert body["errors"][0]["type"] == "FORBIDDEN"
    assert body["errors"][0]["path"] == ["organization", "repository", "collaborators"]


def test_reading_by_graphql_is_no_write_and_the_reading_token_may(sandbox: SandboxClient) -> None:
    assert ask(sandbox, "{ viewer { login } }", token=sandbox.github["read_token"]).ok
    assert sandbox.writes("github") == []


def test_an_enterprise_servers_address_serves_both_apis_to_the_sdk(sandbox: SandboxClient) -> None:
    address = sandbox.github["base_url"] + "/api/v3"
    sdk = Github(base_url=address, auth=Auth.Token(sandbox.github["token"]), retry=None, seconds_between_requests=0)

    assert sdk.requester.graphql_url.endswith("/api/graphql")
    assert sdk.requester.graphql_query("{ viewer { login } }", {})[1]["data"]["viewer"]["login"] == "onboard-bot"
    assert [team.slug for team in sdk.get_organization("acme").get_teams()] == [
        "outsourced-readers",
        "payments-engineers",
    ]
    assert {repo.name for repo in sdk.get_organization("acme").get_repos()} >= {"docs"}


def test_sources_say_which_part_of_the_access_comes_from_where(sandbox: SandboxClient) -> None:
    world = demo(
        base_permission="read",
        custom_roles={"release": "push"},
        repos=[{"name": "docs", "collaborators": {"ada": "release", "marta": "pull"}}],
        teams=[
            {"slug": "all", "name": "All", "repos": {"docs": "triage"}},
            {"slug": "inner", "name": "Inner", "parent": "all", "members": ["ada"]},
        ],
    )
    sandbox.reset(world)
    query = (
        "collaborators(first: 9, affiliation: %s) { edges { permission node { login } permissionSources"
        " { roleName permission source { __typename ... on Team { slug } } } } }"
    )
    asked = f'{{ {ORG} {{ repository(name: "docs") {{ {query % "DIRECT"} }} }} }}'

    edges = data(sandbox, asked)["organization"]["repository"]["collaborators"]["edges"]

    ada, marta = edges
    assert (ada["node"]["login"], ada["permission"], marta["permission"]) == ("ada", "WRITE", "READ")
    assert [(s["roleName"], s["source"]["__typename"]) for s in ada["permissionSources"]] == [
        ("read", "Organization"), ("triage", "Team"), ("release", "Repository")
    ]  # fmt: skip
    docs = as_token(sandbox, sandbox.github["token"]).get_repo("acme/docs")
    assert {who.login: who.role_name for who in docs.get_collaborators(affiliation="direct")} == {
        "ada": "release", "marta-nw": "read"
    }  # fmt: skip


def test_every_name_and_type_is_the_vendors() -> None:
    folder = os.environ.get("ONBOARD_API_SPECS")
    if not folder:
        pytest.skip("ONBOARD_API_SPECS doesn't name the folder with the vendors' descriptions")
    text = gzip.decompress(Path(folder, "github-schema.graphql.gz").read_bytes()).decode()
    vendor: Any = build_schema(text, assume_valid=True)
    ours = build_schema(files("onboard.sandbox.github").joinpath("schema.graphql").read_text("utf-8"))

    for name, type_ in ours.type_map.items():
        theirs: Any = vendor.type_map[name]
        if is_object_type(type_) or is_interface_type(type_):
            for field, definition in type_.fields.items():
                assert str(definition.type) == str(theirs.fields[field].type), f"{name}.{field}"
                for argument, given in definition.args.items():
                    assert str(given.type) == str(theirs.fields[field].args[argument].type), f"{name}.{field}"
        elif isinstance(type_, GraphQLEnumType):
            assert type_.values.keys() <= theirs.values.keys(), name
        elif isinstance(type_, GraphQLUnionType):
            assert {each.name for each in type_.types} <= {each.name for each in theirs.types}, name
