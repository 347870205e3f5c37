"""What fails on Jira: unknown is not absent, a lost answer is uncertain, a 4xx is read back."""

from __future__ import annotations

from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import pytest
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.jira.client import Deployment
from onboard.connectors.jira.reader import JiraReader
from onboard.connectors.jira.writer import JiraWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.jira.support import GROUP, OTHER, PROJECT, Site, now


@pytest.fixture(params=["cloud", "data-center"])
def site(request: pytest.FixtureRequest, sandbox: SandboxClient) -> Site:
    return Site(sandbox, cast(Deployment, request.param))


@pytest.fixture
def marta(site: Site) -> Account:
    return site.account("marta")


@pytest.mark.parametrize("deployment", ["cloud", "data-center"])
def test_a_host_that_is_down_makes_everything_unknown_and_no_write_uncertain(deployment: Deployment) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
    observed = JiraReader("jira", address, "e@x.example", SecretStr("t"), deployment, now).read(Scope())
    writer = JiraWriter("jira", address, "e@x.example", SecretStr("t"), deployment, now)

    assert observed.unknown is not None
    assert not observed.complete
    with pytest.raises(SystemFailed) as failure:
        writer.grant(Account("a", "jira", "someone", "someone"), GROUP, "member")
    assert not failure.value.uncertain
    assert not writer.health().reachable


def test_a_wrong_token_makes_everything_unknown_even_where_jira_would_list_nothing(site: Site) -> None:
    at = site.settings
    reader = JiraReader("jira", at["base_url"], at["email"], SecretStr("wrong"), site.deployment, now)

    observed = reader.read(Scope())

    assert "token" in (observed.unknown or "")
    assert "wrong" not in (observed.unknown or "").partition("token")[0]
    with pytest.raises(SystemFailed):
        reader.find_account(site.handle("marta"))


@pytest.mark.parametrize(("resource", "level"), [(GROUP, "member"), (PROJECT, "Developers")])
def test_a_lost_answer_is_uncertain_was_sent_once_and_took_effect(
    site: Site, marta: Account, resource: Resource, level: str
) -> None:
    site.sandbox.fault(site.system, "drop-after", method="POST", times=1)

    with pytest.raises(SystemFailed) as failure:
        site.writer.grant(marta, resource, level)

    assert failure.value.uncertain
    assert len(site.sandbox.writes(site.system)) == 1
    assert site.held(resource, marta) == [level]
    assert not site.writer.grant(marta, resource, level).changed


@pytest.mark.parametrize(("kind", "uncertain", "wait"), [("429", False, 9), ("500", True, None)])
def test_a_limit_is_certain_a_server_error_is_not_and_neither_is_repeated(
    site: Site, marta: Account, kind: str, uncertain: bool, wait: float | None
) -> None:
    site.sandbox.fault(site.system, kind, method="POST", **({"retry_after": wait} if wait else {}))

    with pytest.raises(SystemFailed) as failure:
        site.writer.grant(marta, GROUP, "member")

    assert not isinstance(failure.value, SystemRefused)
    assert failure.value.uncertain is uncertain
    assert failure.value.retry_after == wait
    assert len(site.sandbox.writes(site.system)) == 1


def test_what_is_forbidden_is_refused_and_names_no_one(site: Site, marta: Account) -> None:
    site.sandbox.fault(site.system, "forbidden", method="POST")

    for resource, level in ((GROUP, "member"), (PROJECT, "Developers")):
        with pytest.raises(SystemRefused) as failure:
            site.writer.grant(marta, resource, level)
        told = str(failure.value)
        assert site.settings["token"] not in told
        assert str(marta.external_id) not in told
        assert "kowalska" not in told.lower()


def test_a_refusal_that_reading_does_not_bear_out_as_already_so_is_a_refusal(site: Site, marta: Account) -> None:
    with pytest.raises(SystemRefused, match="no role Owners"):
        site.writer.grant(marta, PROJECT, "Owners")
    with pytest.raises(SystemRefused):
        site.writer.grant(marta, Resource("jira", "project", "NOPE"), "Developers")
    with pytest.raises(SystemRefused):
        site.writer.grant(marta, Resource("jira", "group", "nope"), "member")
    with pytest.raises(SystemRefused, match="isn't a Jira resource"):
        site.writer.grant(marta, Resource("jira", "project", "PAY/role/1"), "Developers")
    with pytest.raises(SystemRefused, match="isn't bound"):
        site.writer.grant(replace(marta, external_id=None), GROUP, "member")


def test_an_inactive_user_is_not_taken_for_one_who_holds_the_role_already(sandbox: SandboxClient) -> None:
    site = Site(sandbox, "data-center")
    marta = site.account("marta")
    site.writer.cut_off(marta)

    with pytest.raises(SystemRefused, match="the account is deactivated"):
        site.writer.grant(marta, PROJECT, "Developers")


def test_the_reading_token_cannot_write(site: Site, marta: Account) -> None:
    at = site.settings
    writer = JiraWriter("jira", at["base_url"], at["email"], SecretStr(at["read_token"]), site.deployment, now)

    with pytest.raises(SystemRefused):
        writer.grant(marta, GROUP, "member")
    assert site.held(GROUP, marta) == []


def test_what_does_not_exist_is_unknown_and_the_rest_is_read(site: Site) -> None:
    missing = {Resource("jira", "group", "nope"), Resource("jira", "project", "NOPE"), Resource("jira", "board", "1")}
    elsewhere = Resource("github", "org", "acme")

    observed = site.reader.read(Scope(frozenset({*missing, elsewhere, GROUP, PROJECT})))

    assert all(observed.of(resource).unknown for resource in missing)
    assert observed.of(GROUP).unknown is None
    assert observed.of(PROJECT).unknown is None
    assert elsewhere not in observed.readings


def test_one_role_that_fails_makes_its_project_unknown_and_no_other(site: Site) -> None:
    site.sandbox.fault(site.system, "500", method="GET", path=r"/project/PAY/role/\d+$")

    observed = site.reader.read(Scope(frozenset({GROUP, PROJECT, OTHER})))

    assert "500" in (observed.of(PROJECT).unknown or "")
    assert observed.of(OTHER).unknown is None
    assert observed.of(GROUP).unknown is None


def test_a_passing_failure_of_a_read_is_tried_again(site: Site) -> None:
    site.sandbox.fault(site.system, "429", method="GET", path="/role", times=1, retry_after=0)
    site.sandbox.fault(site.system, "500", method="GET", path="/group/member", times=1)

    observed = site.reader.read(Scope(frozenset({GROUP, PROJECT})))

    assert observed.of(GROUP).unknown is None
    assert observed.of(PROJECT).unknown is None


def test_who_may_not_browse_users_cannot_tell_that_somebody_is_absent(site: Site) -> None:
    at = site.settings
    token = site.sandbox.person("mallory").jira["token"]
    reader = JiraReader("jira", at["base_url"], "mallory@elsewhere.example", SecretStr(token), site.deployment, now)

    with pytest.raises(SystemFailed):
        reader.find_account("nobody@nordwind.example")
