"""What holds on Jira, Cloud and Data Center alike, through the real SDK and the sandbox."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.jira.client import Deployment
from onboard.connectors.jira.reader import JiraReader
from onboard.connectors.jira.writer import JiraWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountState, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.jira.support import GROUP, OTHER, PROJECT, Site, as_bot, now


@pytest.fixture(params=["cloud", "data-center"])
def site(request: pytest.FixtureRequest, sandbox: SandboxClient) -> Site:
    return Site(sandbox, cast(Deployment, request.param))


@pytest.fixture
def marta(site: Site) -> Account:
    return site.account("marta")


@pytest.mark.parametrize(("resource", "level"), [(GROUP, "member"), (PROJECT, "Developers")])
def test_the_second_grant_and_the_second_revocation_change_nothing(
    site: Site, marta: Account, resource: Resource, level: str
) -> None:
    assert site.writer.grant(marta, resource, level).changed
    assert not site.writer.grant(marta, resource, level).changed
    assert site.held(resource, marta) == [level]

    assert site.writer.revoke(marta, resource, level).changed
    assert not site.writer.revoke(marta, resource, level).changed
    assert site.held(resource, marta) == []


def test_several_roles_are_held_at_once_and_others_keep_theirs(site: Site, marta: Account) -> None:
    before = {(h.account, h.level) for h in site.reading(PROJECT).holdings}

    site.writer.grant(marta, PROJECT, "Developers")
    site.writer.grant(marta, PROJECT, "Viewers")
    assert sorted(site.held(PROJECT, marta)) == ["Developers", "Viewers"]

    site.writer.revoke(marta, PROJECT, "Developers")
    site.writer.revoke(marta, PROJECT, "Viewers")
    assert {(h.account, h.level) for h in site.reading(PROJECT).holdings} == before
    assert [entry["method"] for entry in site.sandbox.writes(site.system)] == ["POST", "POST", "DELETE", "DELETE"]


def test_a_role_that_is_not_there_is_held_by_nobody(site: Site, marta: Account) -> None:
    assert not site.writer.revoke(marta, PROJECT, "Owners").changed


def test_who_holds_a_role_through_a_group_holds_it_on_the_group_only(site: Site, marta: Account) -> None:
    site.writer.grant(marta, GROUP, "member")
    as_bot(site, "POST", _developers(site), {"group": [GROUP.name]})

    assert site.held(PROJECT, marta) == []
    assert site.held(GROUP, marta) == ["member"]


def _developers(site: Site) -> str:
    roles = as_bot(site, "GET", "project/PAY/role")
    return str(roles["Developers"]).partition("/rest/api/2/")[2]


def test_everything_is_read_where_no_resource_is_named(site: Site) -> None:
    observed = site.reader.read(Scope())

    assert observed.unknown is None
    assert observed.complete
    assert {GROUP, PROJECT, OTHER} <= observed.readings.keys()
    lena = site.account("lena")
    assert observed.accounts[str(lena.external_id)].state is AccountState.ACTIVE
    assert site.held(OTHER, lena) == ["Developers"]
    assert site.sandbox.writes(site.system) == []


def test_an_account_is_found_by_exactly_what_it_is_called(site: Site, marta: Account) -> None:
    key = site.sandbox.person("marta").jira["account_id" if site.cloud else "key"]

    assert marta.external_id == key
    assert (marta.id, marta.person) == ("", None)
    for handle in ("marta", "Marta Kowalska", "nobody", "nobody@nordwind.example", "marta@nordwind.exampl"):
        assert _found(site, handle) is None


def _found(site: Site, handle: str) -> Account | None:
    """None too where Cloud can't tell, because it hides the addresses of whom it finds."""
    try:
        return site.reader.find_account(handle)
    except SystemFailed:
        assert site.cloud
        assert "@" in handle
        return None


def test_an_address_finds_its_user_where_it_is_shown(sandbox: SandboxClient) -> None:
    site = Site(sandbox, "data-center")

    found = site.reader.find_account("Marta@nordwind.example")

    assert found is not None
    assert found.external_id == "JIRAUSER10101"
    assert site.reader.find_account("JIRAUSER10101") == found


def test_a_hidden_address_is_not_guessed(sandbox: SandboxClient) -> None:
    with pytest.raises(SystemFailed, match="accountId"):
        Site(sandbox, "cloud").reader.find_account("marta@nordwind.example")


def test_two_users_with_one_address_are_told_apart_by_nobody(sandbox: SandboxClient) -> None:
    site = Site(sandbox, "data-center")
    as_bot(site, "PUT", "user?username=mvane", {"emailAddress": "marta@nordwind.example"})

    with pytest.raises(SystemFailed, match="2 users"):
        site.reader.find_account("marta@nordwind.example")


def test_a_renamed_user_stays_the_same_and_a_recycled_name_inherits_nothing(sandbox: SandboxClient) -> None:
    site = Site(sandbox, "data-center")
    marta, mallory = site.account("marta"), site.account("mallory")
    site.writer.grant(marta, GROUP, "member")
    site.writer.grant(marta, PROJECT, "Developers")
    sandbox.rename("marta", jira="mkowalska2")
    sandbox.rename("mallory", jira="mkowalska")

    assert site.held(GROUP, marta) == ["member"]
    assert site.held(PROJECT, marta) == ["Developers"]
    site.writer.grant(marta, OTHER, "Viewers")
    assert site.held(OTHER, mallory) == []
    site.writer.grant(mallory, PROJECT, "Developers")
    site.writer.revoke(marta, PROJECT, "Developers")
    assert site.held(PROJECT, marta) == []
    assert site.held(PROJECT, mallory) == ["Developers"]


def test_a_cut_off_takes_every_group_and_role_and_a_second_finds_nothing(site: Site, marta: Account) -> None:
    for resource, level in ((GROUP, "member"), (PROJECT, "Developers"), (PROJECT, "Viewers"), (OTHER, "Testers")):
        site.writer.grant(marta, resource, level)

    assert sum(receipt.changed for receipt in site.writer.cut_off(marta)) == (4 if site.cloud else 5)
    assert [line for line in site.sandbox.holdings("marta") if line["system"] == site.system] == []
    assert not any(receipt.changed for receipt in site.writer.cut_off(marta))


def test_a_cut_off_deactivates_on_data_center_and_reads_back_that_it_did(sandbox: SandboxClient) -> None:
    site = Site(sandbox, "data-center")
    marta = site.account("marta")
    site.writer.grant(marta, GROUP, "member")

    site.writer.cut_off(marta)

    found = site.reader.find_account("mkowalska")
    assert found is not None
    assert found.state is AccountState.SUSPENDED


def test_a_cut_off_goes_on_after_a_failure_and_tells_it_at_the_end(site: Site, marta: Account) -> None:
    site.writer.grant(marta, GROUP, "member")
    site.writer.grant(marta, PROJECT, "Developers")
    site.sandbox.fault(site.system, "forbidden", method="DELETE", path="/group/user")

    with pytest.raises(SystemFailed, match="403"):
        site.writer.cut_off(marta)

    assert site.held(PROJECT, marta) == []
    assert site.held(GROUP, marta) == ["member"]


def test_a_cut_off_pulls_blindly_where_it_cannot_read(site: Site, marta: Account) -> None:
    site.writer.grant(marta, GROUP, "member")
    site.sandbox.fault(site.system, "500", method="GET", path="/user/groups" if site.cloud else "/user$", skip=1)

    site.writer.cut_off(marta) if site.cloud else _tried(site.writer, marta)

    site.sandbox.clear_faults()
    assert site.held(GROUP, marta) == []


def _tried(writer: JiraWriter, account: Account) -> None:
    """On Data Center the same failure keeps the deactivation from being read back, which is told at the end."""
    with pytest.raises(SystemFailed):
        writer.cut_off(account)


def test_a_deleted_account_can_be_granted_nothing_and_revoking_is_no_change(sandbox: SandboxClient) -> None:
    site = Site(sandbox, "data-center")
    gone = Account("a", "jira", "JIRAUSER99999", "gone")

    with pytest.raises(SystemRefused, match="gone"):
        site.writer.grant(gone, GROUP, "member")
    assert not site.writer.revoke(gone, GROUP, "member").changed
    assert not any(receipt.changed for receipt in site.writer.cut_off(gone))


def test_health_names_the_identity_and_what_is_missing_or_too_much(site: Site) -> None:
    at = site.settings
    read, write = site.reader.health(), site.writer.health()
    overdone = JiraReader("jira", at["base_url"], at["email"], SecretStr(at["token"]), site.deployment, now).health()

    assert (read.reachable, read.missing, read.excess, read.problem) == (True, (), (), "")
    assert (write.reachable, write.missing, write.excess, write.problem) == (True, (), (), "")
    assert read.identity
    assert "ADMINISTER" in write.rights
    assert "ADMINISTER" in overdone.excess


def test_threads_share_a_reader_and_a_writer_without_mixing_answers(site: Site, marta: Account) -> None:
    reader, writer = site.reader, site.writer
    scopes = [Scope(frozenset({resource})) for resource in (GROUP, PROJECT, OTHER)]
    alone = [reader.read(scope).readings for scope in scopes]

    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda n: reader.read(scopes[n % 3]).readings, range(18)))
        receipts = list(pool.map(lambda _: writer.revoke(marta, GROUP, "member"), range(12)))

    assert all(readings == alone[n % 3] for n, readings in enumerate(together))
    assert not any(receipt.changed for receipt in receipts)
