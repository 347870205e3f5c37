"""What an account still holds in Jira by any route, on both deployments, and how few calls a reading takes."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import SecretStr

from onboard.connectors.base import Residue, Scope
from onboard.connectors.jira.client import Deployment
from onboard.connectors.jira.reader import JiraReader
from onboard.errors import SystemRefused
from onboard.model import Account, Holding, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.jira.support import GROUP, OTHER, PROJECT, Site, as_bot, now
from tests.connectors.worlds import crowded_world

SCHEME = Resource("jira", "permission-scheme", "Default software scheme")
EVERYBODY: tuple[Deployment, ...] = ("cloud", "data-center")


@pytest.fixture(params=EVERYBODY)
def site(request: pytest.FixtureRequest, sandbox: SandboxClient) -> Site:
    return Site(sandbox, request.param)


def named_in_the_scheme(site: Site, kind: str, who: str, permission: str) -> None:
    body = {"permission": permission, "holder": {"type": kind, "parameter": who}}
    as_bot(site, "POST", "permissionscheme/10000/permission", body)


def group_in_role(site: Site, project: str, group: str) -> None:
    as_bot(site, "POST", f"project/{project}/role/{developers(site, project)}", {"group": [group]})


def developers(site: Site, project: str) -> str:
    return str(as_bot(site, "GET", f"project/{project}/role")["Developers"]).rpartition("/")[2]


def everything_given(site: Site) -> Account:
    """Marta in a group, a role, a role through the group, and a permission scheme by name and through the group."""
    marta = site.account("marta")
    site.writer.grant(marta, GROUP, "member")
    site.writer.grant(marta, PROJECT, "Viewers")
    group_in_role(site, "OPS", GROUP.name)
    named_in_the_scheme(site, "user", str(marta.external_id), "EDIT_ISSUES")
    named_in_the_scheme(site, "group", GROUP.name, "ADD_COMMENTS")
    return marta


def told(holdings: tuple[Holding, ...]) -> set[tuple[str, str, str]]:
    return {(f"{h.resource.type}:{h.resource.name}", h.level, h.via) for h in holdings}


THROUGH = f"group {GROUP.name}"
ALL = {
    ("group:outsourced-engineers", "member", "direct"),
    ("project:PAY", "Viewers", "direct"),
    ("project:OPS", "Developers", THROUGH),
    ("permission-scheme:Default software scheme", "EDIT_ISSUES", "direct"),
    ("permission-scheme:Default software scheme", "ADD_COMMENTS", THROUGH),
}


def beside_the_account(residue: Residue) -> set[tuple[str, str, str]]:
    return {each for each in told(residue.remaining) if not each[0].startswith("account:")}


def test_a_jira_that_does_not_answer_leaves_every_route_unknown(site: Site) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    reader = JiraReader("jira", nowhere, "a@b.example", SecretStr("t"), site.deployment, now)

    residue = reader.residue(site.account("marta"))

    assert (residue.routes, residue.remaining) == ((), ())
    assert len(residue.unknown) == 4


def test_every_route_is_told_by_residue_and_by_a_complete_reading_alike(site: Site) -> None:
    marta = everything_given(site)

    observation, residue = site.reader.read(Scope()), site.reader.residue(marta)

    held = tuple(
        h for reading in observation.readings.values() for h in reading.holdings if h.account == marta.external_id
    )
    assert observation.complete
    assert told(held) == beside_the_account(residue) == ALL


def test_what_a_group_gives_is_told_for_groups_in_the_scope(site: Site) -> None:
    marta = everything_given(site)

    assert site.held(OTHER, marta) == []
    both = site.reader.read(Scope(frozenset({OTHER, GROUP})))
    assert [h.via for h in both.of(OTHER).holdings if h.account == marta.external_id] == [THROUGH]


def test_a_cut_off_leaves_nothing_but_an_account_that_opens_nothing(site: Site) -> None:
    marta = everything_given(site)

    site.writer.cut_off(marta)

    residue = site.reader.residue(marta)
    assert beside_the_account(residue) == set()
    vias = [holding.via for holding in residue.remaining]
    assert vias == (["the person's Atlassian account"] if site.cloud else [])
    assert residue.unknown == ()


def test_a_permission_is_taken_from_the_scheme_by_its_own_entry_and_others_stay(site: Site) -> None:
    marta, jonas = everything_given(site), site.account("jonas")
    named_in_the_scheme(site, "user", str(marta.external_id), "ASSIGN_ISSUES")
    named_in_the_scheme(site, "user", str(jonas.external_id), "EDIT_ISSUES")

    assert site.writer.revoke(marta, SCHEME, "EDIT_ISSUES").changed
    assert not site.writer.revoke(marta, SCHEME, "EDIT_ISSUES").changed

    assert set(site.held(SCHEME, marta)) == {"ASSIGN_ISSUES"}
    assert site.held(SCHEME, jonas) == ["EDIT_ISSUES"]


def test_a_lost_answer_to_taking_a_permission_is_found_done(site: Site) -> None:
    marta = everything_given(site)
    site.sandbox.fault(site.system, "drop-after", method="DELETE", path="permissionscheme", times=1)

    with pytest.raises(Exception, match="before an answer came") as lost:
        site.writer.revoke(marta, SCHEME, "EDIT_ISSUES")

    assert lost.value.uncertain  # type: ignore[attr-defined]
    assert not site.writer.revoke(marta, SCHEME, "EDIT_ISSUES").changed


def test_a_cut_off_goes_on_though_one_project_fails(site: Site) -> None:
    marta = everything_given(site)
    site.sandbox.fault(site.system, "500", method="GET", path="project/PAY/role$")

    with pytest.raises(Exception, match="roles of PAY"):
        site.writer.cut_off(marta)

    site.sandbox.clear_faults()
    assert beside_the_account(site.reader.residue(marta)) == set()


def test_without_the_list_of_shared_roles_each_project_is_asked_for_its_own(site: Site) -> None:
    marta = everything_given(site)
    site.sandbox.fault(site.system, "forbidden", path=r"/rest/api/\d/role$")

    assert ("project:PAY", "Viewers", "direct") in beside_the_account(site.reader.residue(marta))
    site.writer.cut_off(marta)

    site.sandbox.clear_faults()
    assert beside_the_account(site.reader.residue(marta)) == set()


def test_a_list_that_fails_is_unknown_and_the_others_are_read(site: Site) -> None:
    site.sandbox.fault(site.system, "forbidden", path="permissionscheme")

    observation = site.reader.read(Scope())

    assert "403" in (observation.of(Resource("jira", "permission-scheme", "(any)")).unknown or "")
    assert observation.of(PROJECT).unknown is None
    assert not observation.complete
    assert [route for route, _ in site.reader.residue(site.account("marta")).unknown] == ["permission schemes"]


def test_nobody_is_given_a_permission_by_name(site: Site) -> None:
    with pytest.raises(SystemRefused, match="Grant a role"):
        site.writer.grant(site.account("marta"), SCHEME, "EDIT_ISSUES")


def test_an_account_is_deactivated_on_data_center_and_is_its_owners_on_cloud(site: Site) -> None:
    marta = site.account("marta")
    account = Resource("jira", "account", "jira")

    if site.cloud:
        with pytest.raises(SystemRefused, match="closed by its owner"):
            site.writer.revoke(marta, account, "active")
    else:
        assert site.writer.revoke(marta, account, "active").changed
        assert site.reader.residue(marta).remaining == ()


def test_the_persons_own_credentials_cannot_be_verified(site: Site) -> None:
    lives = {each.what: each.longest for each in site.reader.residue(site.account("marta")).unverifiable}

    if site.cloud:
        assert lives["API tokens of the Atlassian account"] == timedelta(days=365)
        assert lives["OAuth grants of the Atlassian account"] is None
    else:
        assert "personal access tokens" in lives


def test_an_unbound_account_is_found_by_its_handle_and_a_stranger_holds_nothing(site: Site) -> None:
    marta = everything_given(site)

    unbound = replace(marta, external_id=None, handle=site.handle("marta"))

    assert beside_the_account(site.reader.residue(unbound)) == ALL
    assert site.reader.residue(replace(unbound, handle="nobody")).remaining == ()


def test_capabilities_are_tried(site: Site) -> None:
    found = {each.name: each for each in site.reader.capabilities()}
    other: Deployment = "data-center" if site.cloud else "cloud"
    wrong = JiraReader("jira", site.settings["base_url"], "a@b.example", SecretStr("t"), other, now).capabilities()

    assert found["deployment"].available
    assert found["reading permission schemes"].detail == "1 schemes"
    assert found["deactivating accounts"].available is not site.cloud
    assert "set deployment" in next(each for each in wrong if each.name == "deployment").detail


@pytest.mark.parametrize(("people", "pages"), [(3, 1), (120, 3)])
def test_a_complete_reading_takes_no_more_calls_than_there_is_to_read(
    sandbox: SandboxClient, people: int, pages: int
) -> None:
    sandbox.reset(crowded_world(people))
    site = Site(sandbox, "cloud")
    sent = len(sandbox.requests("jira"))

    observation = site.reader.read(Scope())

    lists = 5  # whose token, groups, projects, schemes, users
    projects, roles, groups = 1, 2, 1
    assert observation.complete
    assert len(sandbox.requests("jira")) - sent == lists + groups * pages + projects * (1 + roles)


def test_a_role_is_written_one_actor_at_a_time_so_that_nobody_else_loses_it(site: Site) -> None:
    before = {(h.account, h.level) for h in site.reading(PROJECT).holdings}
    marta = site.account("marta")
    sent = len(site.sandbox.writes(site.system, 0))

    site.writer.grant(marta, PROJECT, "Developers")
    site.writer.revoke(marta, PROJECT, "Developers")

    assert {(h.account, h.level) for h in site.reading(PROJECT).holdings} == before
    assert [entry["method"] for entry in site.sandbox.writes(site.system, 0)[sent:]] == ["POST", "DELETE"]
