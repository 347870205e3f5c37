"""Lists that are longer than a page: every member of them, or unknown."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.github.reader import GitHubReader
from onboard.model import Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.github.support import ORG, REPO, TEAM, now
from tests.connectors.worlds import crowded_world

QUIET = Resource("github", "repo", "acme/quiet")


@pytest.fixture
def crowd(sandbox: SandboxClient) -> SandboxClient:
    sandbox.reset(crowded_world(230))
    return sandbox


@pytest.fixture
def reader(crowd: SandboxClient) -> GitHubReader:
    github = crowd.github
    return GitHubReader("github", github["base_url"], github["org"], SecretStr(github["read_token"]), now)


def test_everybody_is_read_page_by_page_a_hundred_at_a_time(crowd: SandboxClient, reader: GitHubReader) -> None:
    observed = reader.read(Scope())

    people = {f"p{number:03}" for number in range(230)}
    for resource in (ORG, TEAM, REPO):
        handles = [holding.handle for holding in observed.of(resource).holdings]
        assert people <= set(handles)
        assert len(handles) == len(set(handles))
    assert observed.complete
    asked = [entry["path"] for entry in crowd.requests("github")]
    assert asked.count("/orgs/acme/members") == 3 + 1
    assert asked.count("/graphql") == 3 + 3  # teams, repositories, and twice two more pages of what is in them
    assert not any("collaborators" in path for path in asked)


def test_without_graphql_the_same_is_read_by_rest(crowd: SandboxClient, reader: GitHubReader) -> None:
    by_graphql = reader.read(Scope())
    crowd.fault("github", "500", path="/graphql")

    by_rest = reader.read(Scope())

    assert by_rest.readings == by_graphql.readings
    assert by_rest.accounts == by_graphql.accounts
    asked = [entry for entry in crowd.requests("github") if entry["path"] == "/repos/acme/docs/collaborators"]
    assert len(asked) == 3


def test_a_failed_page_makes_that_resource_unknown_and_no_other(crowd: SandboxClient, reader: GitHubReader) -> None:
    crowd.fault("github", "forbidden", path="/graphql")
    crowd.fault("github", "partial", path="/repos/acme/docs/collaborators")

    observed = reader.read(Scope(frozenset({REPO, TEAM, QUIET})))

    assert "500" in (observed.of(REPO).unknown or "")
    assert observed.of(REPO).holdings == ()
    assert len(observed.of(TEAM).holdings) == 230
    assert observed.of(QUIET).unknown is None
    assert observed.of(QUIET).holdings == ()


def test_a_failed_page_of_the_member_list_leaves_kinds_untold_and_the_repository_known(
    crowd: SandboxClient, reader: GitHubReader
) -> None:
    crowd.fault("github", "partial", path="/orgs/acme/members")

    observed = reader.read(Scope(frozenset({REPO})))

    assert len(observed.of(REPO).holdings) == 230
    assert observed.accounts == {}
