"""What holds on GitHub, through the real SDK and the sandbox."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests
from pydantic import SecretStr

from onboard.connectors.base import Scope
from onboard.connectors.github.reader import GitHubReader
from onboard.connectors.github.writer import GitHubWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountKind, AccountState, Holding, HoldingState, Observation, Resource
from onboard.sandbox.client import SandboxClient
from tests.connectors.github.support import MALLORY, MARTA, ORG, REPO, TEAM, held, now, on


@pytest.fixture
def reader(sandbox: SandboxClient) -> GitHubReader:
    github = sandbox.github
    return GitHubReader("github", github["base_url"], github["org"], SecretStr(github["read_token"]), now)


@pytest.fixture
def writer(sandbox: SandboxClient) -> GitHubWriter:
    github = sandbox.github
    return GitHubWriter("github", github["base_url"], github["org"], SecretStr(github["token"]), now)


@pytest.fixture
def marta(reader: GitHubReader) -> Account:
    account = reader.find_account("marta-nw")
    assert account is not None
    return account


def test_a_second_grant_changes_nothing(writer: GitHubWriter, marta: Account) -> None:
    for resource, level in ((ORG, "member"), (TEAM, "maintainer"), (REPO, "push")):
        first, second = writer.grant(marta, resource, level), writer.grant(marta, resource, level)
        assert first.changed
        assert first.request_id
        assert not second.changed


def test_an_invitation_is_held_with_its_level_and_becomes_access_when_accepted(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    for resource, level in ((ORG, "member"), (TEAM, "maintainer"), (REPO, "triage")):
        writer.grant(marta, resource, level)

    invited = reader.read(Scope(frozenset({ORG, TEAM, REPO})))
    sandbox.accept("marta", "github")
    active = reader.read(Scope(frozenset({ORG, TEAM, REPO})))

    levels = {ORG: "member", TEAM: "maintainer", REPO: "triage"}
    for resource, level in levels.items():
        [before], [after] = mine(invited, resource), mine(active, resource)
        assert (before.level, before.state) == (level, HoldingState.INVITED)
        assert before.invitation
        assert (after.level, after.state) == (level, HoldingState.ACTIVE)
    assert invited.accounts[MARTA].state is AccountState.INVITED
    assert active.accounts[MARTA].state is AccountState.ACTIVE
    assert active.accounts[MARTA].kind is AccountKind.MEMBER


def mine(observed: Observation, resource: Resource) -> list[Holding]:
    return [holding for holding in observed.of(resource).holdings if holding.account == MARTA]


def test_a_level_is_raised_and_lowered_whether_pending_or_accepted(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    writer.grant(marta, REPO, "push")
    assert writer.grant(marta, REPO, "pull").changed
    assert held(reader, REPO) == [("pull", HoldingState.INVITED)]

    sandbox.accept("marta", "github")
    assert writer.grant(marta, REPO, "maintain").changed
    assert held(reader, REPO) == [("maintain", HoldingState.ACTIVE)]
    assert reader.read(Scope(frozenset({REPO}))).accounts[MARTA].kind is AccountKind.OUTSIDE_COLLABORATOR


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize(("resource", "level"), [(ORG, "member"), (TEAM, "member"), (REPO, "push")])
def test_a_revocation_takes_what_is_held_or_pending_and_the_second_changes_nothing(
    sandbox: SandboxClient,
    reader: GitHubReader,
    writer: GitHubWriter,
    marta: Account,
    accepted: bool,
    resource: Resource,
    level: str,
) -> None:
    writer.grant(marta, resource, level)
    if accepted:
        sandbox.accept("marta", "github")

    first, second = writer.revoke(marta, resource, level), writer.revoke(marta, resource, level)

    assert first.changed
    assert not second.changed
    assert held(reader, resource) == []
    assert sandbox.accept("marta", "github") == [] or resource == TEAM


def test_an_expired_repository_invitation_is_seen_revoked_and_replaced(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    writer.grant(marta, REPO, "push")
    sandbox.advance(days=8)
    assert held(reader, REPO) == [("push", HoldingState.EXPIRED)]

    assert writer.grant(marta, REPO, "push").changed
    assert held(reader, REPO) == [("push", HoldingState.INVITED)]

    sandbox.advance(days=8)
    assert writer.revoke(marta, REPO, "push").changed
    assert held(reader, REPO) == []


def test_an_expired_invitation_to_the_organisation_is_seen_and_gives_way_to_a_new_one(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    writer.grant(marta, ORG, "member")
    sandbox.advance(days=8)
    assert held(reader, ORG) == [("member", HoldingState.EXPIRED)]

    assert writer.grant(marta, ORG, "member").changed
    assert held(reader, ORG) == [("member", HoldingState.INVITED)]


def test_an_invitation_to_an_address_is_seen_and_revoked_by_the_address(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    url = f"{sandbox.github['base_url']}/orgs/acme/invitations"
    owner = {"Authorization": f"Bearer {sandbox.person('octo-admin').github['token']}"}
    requests.post(url, json={"email": "new@nordwind.example"}, headers=owner, timeout=5).raise_for_status()
    nobody = replace(marta, external_id="email:new@nordwind.example")

    assert held(reader, ORG, "email:new@nordwind.example") == [("member", HoldingState.INVITED)]
    assert writer.revoke(nobody, ORG, "member").changed
    assert held(reader, ORG, "email:new@nordwind.example") == []


def test_a_renamed_account_stays_the_same_and_a_recycled_login_inherits_nothing(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    writer.grant(marta, REPO, "push")
    sandbox.accept("marta", "github")
    sandbox.rename("marta", github="marta-k")
    sandbox.rename("mallory", github="marta-nw")

    assert held(reader, REPO) == [("push", HoldingState.ACTIVE)]
    writer.grant(marta, TEAM, "member")
    writer.grant(marta, REPO, "admin")
    assert held(reader, REPO) == [("admin", HoldingState.ACTIVE)]
    assert held(reader, TEAM, MALLORY) == []
    assert writer.revoke(marta, REPO, "admin").changed

    writer.grant(replace(marta, external_id=MALLORY), REPO, "pull")
    writer.cut_off(marta)
    assert held(reader, REPO) == []
    assert held(reader, TEAM) == []
    assert held(reader, REPO, MALLORY) == [("pull", HoldingState.INVITED)]


def test_a_deleted_account_can_be_granted_nothing_and_revoking_is_no_change(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    sandbox.delete_accounts("marta", "github")

    with pytest.raises(SystemRefused, match="gone"):
        writer.grant(marta, REPO, "push")
    assert not writer.revoke(marta, REPO, "push").changed
    assert reader.find_account("marta-nw") is None


def test_a_cut_off_takes_everything_and_a_second_finds_nothing(
    sandbox: SandboxClient, writer: GitHubWriter, marta: Account
) -> None:
    for resource, level in ((ORG, "member"), (TEAM, "member"), (REPO, "push")):
        writer.grant(marta, resource, level)
    sandbox.accept("marta", "github")
    writer.grant(marta, Resource("github", "repo", "acme/e2e-tests"), "triage")

    assert any(receipt.changed for receipt in writer.cut_off(marta))
    assert [line for line in sandbox.holdings("marta") if line["system"] == "github"] == []
    assert not any(receipt.changed for receipt in writer.cut_off(marta))


def test_a_cut_off_takes_pending_repository_invitations_of_somebody_outside(
    sandbox: SandboxClient, writer: GitHubWriter, marta: Account
) -> None:
    for name in ("docs", "payments-api"):
        writer.grant(marta, Resource("github", "repo", f"acme/{name}"), "push")
    sandbox.accept("marta", "github")
    writer.grant(marta, Resource("github", "repo", "acme/e2e-tests"), "triage")

    writer.cut_off(marta)

    assert [line for line in sandbox.holdings("marta") if line["system"] == "github"] == []


def test_a_cut_off_goes_on_after_a_failure_and_tells_it_at_the_end(
    sandbox: SandboxClient, reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    for resource, level in ((ORG, "member"), (TEAM, "member")):
        writer.grant(marta, resource, level)
    sandbox.accept("marta", "github")
    writer.grant(marta, REPO, "push")
    sandbox.fault("github", "forbidden", method="DELETE", path="/orgs/acme/(memberships|outside_collaborators)/")

    with pytest.raises(SystemFailed, match="403"):
        writer.cut_off(marta)

    assert held(reader, TEAM) == []
    assert held(reader, REPO) == []
    assert held(reader, ORG) == [("member", HoldingState.ACTIVE)]


def test_an_account_is_found_by_its_exact_login_only(reader: GitHubReader) -> None:
    found = reader.find_account("MARTA-NW")

    assert found is not None
    assert (found.external_id, found.handle, found.id, found.person) == (MARTA, "marta-nw", "", None)
    for handle in ("marta", "marta-n", "acme", "../orgs/acme", "marta@nordwind.example", ""):
        assert reader.find_account(handle) is None


def test_owners_are_admins_and_everybody_is_met_with_kind_and_state(reader: GitHubReader) -> None:
    observed = reader.read(Scope())

    levels = {holding.handle: holding.level for holding in observed.of(ORG).holdings}
    assert levels == {
        "ada": "member", "piet": "member", "lena": "member", "octo-admin": "admin", "onboard-bot": "admin"
    }  # fmt: skip
    assert observed.complete
    assert len(observed.readings) == 1 + 2 + 6
    assert all(reading.unknown is None for reading in observed.readings.values())
    assert {account.kind for account in observed.accounts.values()} == {AccountKind.MEMBER}


def test_reading_a_few_resources_asks_nothing_about_the_others(sandbox: SandboxClient, reader: GitHubReader) -> None:
    reader.read(Scope(frozenset({TEAM})))

    paths = {entry["path"] for entry in sandbox.requests("github")}
    assert paths == {"/graphql", "/orgs/acme/members"}
    assert sandbox.writes("github") == []


def test_health_names_the_identity_and_the_rights_of_each_token(reader: GitHubReader, writer: GitHubWriter) -> None:
    read, write = reader.health(), writer.health()

    assert (read.reachable, read.identity, read.missing, read.excess, read.problem) == (True, "onboard-bot", (), (), "")
    assert (write.reachable, write.missing, write.problem) == (True, (), "")
    assert "admin:org" in write.rights


def test_a_token_that_can_write_is_too_much_for_reading(sandbox: SandboxClient) -> None:
    github = sandbox.github
    reader = GitHubReader("github", github["base_url"], "acme", SecretStr(github["token"]), now)

    assert "admin:org" in reader.health().excess


def test_threads_share_a_reader_and_a_writer_without_mixing_answers(
    reader: GitHubReader, writer: GitHubWriter, marta: Account
) -> None:
    alone = {resource: on(reader, resource) for resource in (ORG, TEAM, REPO)}

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda n: on(reader, (ORG, TEAM, REPO)[n % 3]), range(24)))
        receipts = list(pool.map(lambda n: writer.revoke(marta, (ORG, TEAM, REPO)[n % 3], "x"), range(24)))

    assert all(reading == alone[reading.resource] for reading in together)
    assert not any(receipt.changed for receipt in receipts)


def test_an_invitation_to_the_organisation_names_the_numeric_id(
    sandbox: SandboxClient, writer: GitHubWriter, marta: Account
) -> None:
    sandbox.rename("marta", github="marta-k")
    sandbox.rename("mallory", github="marta-nw")

    writer.grant(marta, ORG, "member")

    [write] = sandbox.writes("github")
    assert (write["method"], write["path"]) == ("POST", "/orgs/acme/invitations")
    assert sandbox.accept("mallory", "github") == []
    assert sandbox.accept("marta", "github") == ["github:org:acme"]


@pytest.mark.parametrize(
    ("resource", "level", "late"),
    [(ORG, "member", "^/orgs/acme/memberships/"), (REPO, "push", "^/repos/acme/docs/invitations$")],
)
def test_a_login_that_changes_hands_in_the_middle_of_a_grant_brings_its_taker_nothing(
    sandbox: SandboxClient, writer: GitHubWriter, marta: Account, resource: Resource, level: str, late: str
) -> None:
    sandbox.fault("github", "latency", method="GET", path=late, times=1, ms=1500)
    begun = sandbox.requests("github")[-1]["n"]

    with ThreadPoolExecutor() as pool:
        granting = pool.submit(writer.grant, marta, resource, level)
        while not any(r["path"] == f"/user/{MARTA}" for r in sandbox.requests("github", since=begun)):
            assert not granting.done()
        sandbox.rename("marta", github="marta-k")
        sandbox.rename("mallory", github="marta-nw")
        failure = granting.exception()

    assert resource == ORG or "passed to another" in str(failure)
    assert sandbox.accept("mallory", "github") == []
    assert sandbox.holdings("mallory") == []
