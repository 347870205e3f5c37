"""GitHub by GraphQL and by REST: the same access by both, and what becomes of a reading where one of them fails."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from onboard.connectors.base import Scope
from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.graphql import GitHubGraph
from onboard.connectors.github.reader import GitHubReader
from onboard.connectors.github.rotation import Process
from onboard.errors import SystemFailed
from onboard.model import Observation, Reading, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.github.support import REPO, a_reader, a_writer, answer, bound, now, on, vendor
from tests.connectors.github.world import demo

RANK = ("pull", "triage", "push", "release", "maintain", "admin")
OUTER = Resource("github", "team", "acme/outer")


def tangled(**more: object) -> dict[str, object]:
    """Every way in which somebody may have access, several of them at once."""
    return demo(
        base_permission="read",
        custom_roles={"release": "push"},
        repos=[
            {"name": "docs", "collaborators": {"ada": "pull", "marta": "release", "lena": "maintain"}},
            {"name": "payments-api", "collaborators": {"piet": "triage", "octo-admin": "pull"}},
            {"name": "empty"},
        ],
        teams=[
            {
                "slug": "outer",
                "name": "Outer",
                "members": ["lena"],
                "repos": {"docs": "triage", "payments-api": "release"},
            },
            {"slug": "inner", "name": "Inner", "parent": "outer", "members": ["ada"], "repos": {"docs": "push"}},
            {"slug": "innermost", "name": "Innermost", "parent": "inner", "maintainers": ["piet"]},
        ],
        **more,
    )


def effective(observed: Observation) -> dict[tuple[str, str], str]:
    """Who has which level on which repository after all."""
    best: dict[tuple[str, str], str] = {}
    for resource, reading in observed.readings.items():
        assert reading.unknown is None
        for holding in reading.holdings if resource.type == "repo" else ():
            known = best.setdefault((resource.name, holding.handle), holding.level)
            best[resource.name, holding.handle] = max(known, holding.level, key=RANK.index)
    return best


def test_the_effective_level_is_the_same_by_graphql_and_by_rest(sandbox: SandboxClient) -> None:
    sandbox.reset(tangled())
    by_graphql = a_reader(sandbox).read(Scope())
    sandbox.fault("github", "500", path="/graphql")
    by_rest = a_reader(sandbox).read(Scope())

    assert effective(by_graphql) == effective(by_rest)
    assert effective(by_graphql) == {
        ("acme/docs", "ada"): "push",
        ("acme/docs", "marta-nw"): "release",
        ("acme/docs", "lena"): "maintain",
        ("acme/docs", "piet"): "push",
        ("acme/payments-api", "ada"): "release",
        ("acme/payments-api", "piet"): "release",
        ("acme/payments-api", "lena"): "release",
        ("acme/payments-api", "octo-admin"): "admin",
    }
    for type_ in ("org", "team", "base-permission"):
        told = [{r: x for r, x in each.readings.items() if r.type == type_} for each in (by_graphql, by_rest)]
        assert told[0] == told[1] != {}
    assert by_graphql.accounts == by_rest.accounts


def test_graphql_tells_what_is_held_directly_from_what_comes_otherwise(sandbox: SandboxClient) -> None:
    sandbox.reset(tangled())

    ada = {(h.level, h.via) for h in a_reader(sandbox).read(Scope()).of(REPO).holdings if h.handle == "ada"}

    assert ada == {
        ("pull", "direct"), ("pull", "org base permission"), ("push", "team inner"), ("triage", "team outer")
    }  # fmt: skip


def test_granting_a_direct_level_is_not_mistaken_for_what_a_team_gives(sandbox: SandboxClient) -> None:
    sandbox.reset(tangled())
    ada, writer = bound("10001"), a_writer(sandbox)

    assert writer.grant(ada, REPO, "push").changed
    assert not writer.grant(ada, REPO, "push").changed
    direct = [h.level for h in on(a_reader(sandbox), REPO).holdings if (h.handle, h.via) == ("ada", "direct")]
    assert direct == ["push"]


def test_somebody_in_an_inner_team_is_not_taken_for_a_member_of_the_outer_one(sandbox: SandboxClient) -> None:
    sandbox.reset(tangled())
    by_graphql = a_reader(sandbox).read(Scope()).of(OUTER)
    sandbox.fault("github", "500", path="/graphql")

    for reading in (by_graphql, on(a_reader(sandbox), OUTER)):
        assert {h.handle for h in reading.holdings if h.via == "direct"} == {"lena"}


def test_an_exhausted_graphql_budget_leaves_nothing_unknown(sandbox: SandboxClient) -> None:
    sandbox.reset(demo(graphql_points=0))

    observed = a_reader(sandbox).read(Scope())

    assert observed.complete
    assert all(reading.unknown is None for reading in observed.readings.values())
    assert {r.name for r in observed.readings if r.type == "repo"} >= {"acme/docs", "acme/payments-api"}


def test_an_exhausted_budget_told_with_status_200_is_a_limit_and_says_when(sandbox: SandboxClient) -> None:
    sandbox.reset(demo(graphql_points=0))
    client = GitHubClient("github", sandbox.github["base_url"], "acme", sandbox.github["read_token"], now)

    with pytest.raises(SystemFailed, match="rate limit") as failure:
        GitHubGraph(client).team("payments-engineers")

    assert 0 < (failure.value.retry_after or 0) <= 3600
    assert not failure.value.uncertain


def test_what_github_leaves_out_of_one_repository_is_unknown_there_only() -> None:
    repo = (
        b'{"name": "%s", "deployKeys": {"totalCount": 0}, "at0": null, "at1": null, "at2": null, "collaborators": %s}'
    )
    full = b'{"pageInfo": {"hasNextPage": false, "endCursor": null}, "edges": []}'
    body = (
        b'{"data": {"nodes": [' + repo % (b"docs", b"null") + b"," + repo % (b"web", full) + b', null]}, "errors":'
        b' [{"type": "INTERNAL", "path": ["nodes", 0, "collaborators"], "message": "marta-nw"},'
        b' {"type": "FORBIDDEN", "path": ["nodes", 2]}]}'
    )
    with vendor(lambda request: answer(request, 200, body=body)) as address:
        client = GitHubClient("github", address, "acme", "t", now)
        docs, web, hidden = GitHubGraph(client).repositories({"R_1": "docs", "R_2": "web", "R_3": "hidden"})

    assert "INTERNAL" in (docs.no_access or "")
    assert "marta" not in (docs.no_access or "")
    assert web.no_access is None
    assert (hidden.name, "FORBIDDEN" in (hidden.no_access or "")) == ("hidden", True)


def test_a_failed_list_of_repositories_is_unknown_and_teams_are_known(sandbox: SandboxClient) -> None:
    sandbox.fault("github", "forbidden", path="/orgs/acme/repos")

    observed = a_reader(sandbox).read(Scope())

    assert "403" in (observed.of(Resource("github", "repo", "acme/*")).unknown or "")
    assert observed.of(REPO).unknown == "it was not read"
    assert observed.of(Resource("github", "team", "acme/payments-engineers")).unknown is None
    assert not observed.complete


def lists_asked(sandbox: SandboxClient, since: int) -> set[str]:
    return {e["path"] for e in sandbox.requests("github", since) if e["path"].endswith(("/invitations", "/keys"))} - {
        "/orgs/acme/invitations"
    }


def test_what_costs_a_request_for_each_repository_is_read_in_turn_and_carries_its_age(sandbox: SandboxClient) -> None:
    sandbox.reset(demo(repos=[{"name": f"r{n:02}"} for n in range(40)]))
    reader, r00 = a_reader(sandbox), Resource("github", "repo", "acme/r00")
    first = reader.read(Scope(None))
    since = sandbox.requests("github")[-1]["n"]

    second = reader.read(Scope(None, fresh=frozenset({r00})))

    assert {reading.at for reading in first.readings.values()} == {None}
    asked = lists_asked(sandbox, since)
    assert "/repos/acme/r00/invitations" in asked
    assert len(asked) <= 1 + 2
    assert second.of(r00).at is None
    older = [reading.at for r, reading in second.readings.items() if r.type == "repo" and reading.at]
    assert len(older) >= 40 - 3
    assert all(first.at - timedelta(minutes=1) < at < second.at for at in older)
    assert second.complete


def test_what_holds_something_is_read_every_time_whoever_remembers(sandbox: SandboxClient) -> None:
    sandbox.reset(demo(repos=[{"name": f"r{n:02}"} for n in range(40)]))
    memory, r05 = Process(), Resource("github", "repo", "acme/r05")
    a_writer(sandbox).grant(bound("90001"), r05, "push")
    github = sandbox.github

    def read() -> Reading:
        reader = GitHubReader("github", github["base_url"], "acme", github["read_token"], now, memory=memory)
        return reader.read(Scope(None, fresh=frozenset())).of(r05)

    first, second = read(), read()

    assert [h.handle for h in first.holdings] == [h.handle for h in second.holdings] == ["marta-nw"]
    assert second.at is None
    assert "r05" not in memory.known()


def test_without_saying_what_must_be_fresh_everything_is(sandbox: SandboxClient) -> None:
    reader = a_reader(sandbox)
    reader.read(Scope())
    a_writer(sandbox).grant(bound("90001"), REPO, "push")

    assert [h.handle for h in reader.read(Scope()).of(REPO).holdings if h.invitation] == ["marta-nw"]


def test_a_list_that_failed_is_read_again_next_time(sandbox: SandboxClient) -> None:
    reader = a_reader(sandbox)
    sandbox.fault("github", "forbidden", path="/repos/acme/docs/invitations")
    assert reader.read(Scope(None, frozenset())).of(REPO).unknown is not None
    sandbox.clear_faults()

    assert reader.read(Scope(None, frozenset())).of(REPO).unknown is None


def test_deploy_keys_are_asked_for_only_where_there_are_any(sandbox: SandboxClient) -> None:
    url, owner = sandbox.github["base_url"], sandbox.person("octo-admin").github["token"]
    headers, body = {"Authorization": f"Bearer {owner}"}, {"title": "ci", "key": "ssh-ed25519 A", "read_only": True}
    requests.post(f"{url}/repos/acme/docs/keys", json=body, headers=headers, timeout=5).raise_for_status()

    a_reader(sandbox).read(Scope())

    asked = [e["path"] for e in sandbox.requests("github") if e["method"] == "GET" and e["path"].endswith("/keys")]
    assert asked == ["/repos/acme/docs/keys"]


def test_a_thousand_things_are_read_with_few_requests(sandbox: SandboxClient) -> None:
    people = [f"p{n}" for n in range(300)]
    world = {
        "people": {
            p: {"name": p, "email": f"{p}@x.example", "github": {"login": p, "id": n + 1}} for n, p in enumerate(people)
        },
        "github": {
            "members": people,
            "repos": [{"name": f"r{n}", "collaborators": {people[n]: "push"}} for n in range(120)],
            "teams": [{"slug": f"t{n}", "name": f"T{n}", "members": people[n::50]} for n in range(50)],
        },
    }
    sandbox.reset(world)
    reader = a_reader(sandbox)

    assert len(reader.read(Scope()).readings) == 1 + 120 + 50

    asked = [entry["path"] for entry in sandbox.requests("github")]
    by_repository = [path for path in asked if path.startswith("/repos/acme/r")]
    assert len(by_repository) == 120
    assert len(asked) - len(by_repository) <= 4 + 2 + 1 + 2 + 5 + 7


def test_an_enterprise_servers_address_is_read_like_any_other(sandbox: SandboxClient) -> None:
    github = sandbox.github
    plain = a_reader(sandbox).read(Scope())
    server = GitHubReader("github", github["base_url"] + "/api/v3", "acme", github["read_token"], now).read(Scope())

    assert server.readings == plain.readings
    assert "/api/graphql" in {entry["path"] for entry in sandbox.requests("github")}
