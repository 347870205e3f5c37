from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock

import pytest
from pydantic import SecretStr
from slack_sdk import WebClient

from onboard.connectors.base import Scope
from onboard.connectors.slack.reader import SlackReader
from onboard.connectors.slack.writer import SlackWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountKind, AccountState, Observation, Receipt, Resource
from onboard.sandbox.client import SandboxClient

PAYMENTS_DEV = Resource("slack", "channel", "payments-dev")
DATA_PLATFORM = Resource("slack", "channel", "data-platform")
ONBOARDING = Resource("slack", "channel", "onboarding")
ENGINEERS = Resource("slack", "usergroup", "payments-engineers")
BOTH = pytest.mark.parametrize("resource", [PAYMENTS_DEV, ENGINEERS], ids=str)


def clock() -> datetime:
    return datetime.now(UTC)


class Workspace:
    """Our reader and writer for the sandbox's Slack, and what to ask of them."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox
        self.writer = self.writing(sandbox.slack["bot_token"])

    def reading(self, page_size: int = 999, token: str = "read_token") -> SlackReader:
        secret = SecretStr(self.sandbox.slack[token])
        return SlackReader("slack", self.sandbox.slack["base_url"], secret, clock, page_size=page_size)

    def writing(self, token: str, *, admin: bool = False) -> SlackWriter:
        known = self.sandbox.slack
        secret = SecretStr(known["admin_token"]) if admin else None
        scim = known["scim_base_url"] if admin else None
        return SlackWriter("slack", known["base_url"], SecretStr(token), secret, scim, clock)

    def read(self, *resources: Resource, page_size: int = 999) -> Observation:
        return self.reading(page_size).read(Scope(frozenset(resources) or None))

    def members(self, resource: Resource) -> set[str]:
        reading = self.read(resource).of(resource)
        assert reading.unknown is None
        return {holding.handle.partition("@")[0] for holding in reading.holdings}

    def held(self, person: str) -> set[Resource]:
        observation, account = self.read(), self.account(person)
        assert observation.unknown is None
        holdings = [holding for reading in observation.readings.values() for holding in reading.holdings]
        return {holding.resource for holding in holdings if holding.account == account.external_id}

    def account(self, person: str, kind: AccountKind = AccountKind.MEMBER) -> Account:
        known = self.sandbox.person(person)
        return Account("a-1", "slack", known.slack["id"], known.email, person="p-1", kind=kind)

    def calls(self, since: int = 0) -> list[str]:
        return [entry["path"].removeprefix("/api/") for entry in self.sandbox.writes("slack", since)]

    def as_(self, person: str) -> WebClient:
        return WebClient(self.sandbox.person(person).slack["token"], base_url=self.sandbox.slack["base_url"])


@pytest.fixture
def workspace(sandbox: SandboxClient) -> Workspace:
    return Workspace(sandbox)


def nowhere() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/api/"


def test_a_slack_that_cannot_be_reached_is_unknown_and_nobody_is_absent() -> None:
    reader = SlackReader("slack", nowhere(), SecretStr("xoxb-secret"), clock)

    observation = reader.read(Scope())

    assert observation.unknown is not None
    assert "no connection" in observation.unknown
    assert observation.of(PAYMENTS_DEV).unknown == observation.unknown
    assert not reader.health().reachable
    with pytest.raises(SystemFailed):
        reader.find_account("marta@nordwind.example")


def test_a_write_that_never_arrived_is_not_uncertain(workspace: Workspace) -> None:
    writer = SlackWriter("slack", nowhere(), SecretStr("xoxb-secret"), None, None, clock)

    with pytest.raises(SystemFailed) as failed:
        writer.grant(workspace.account("marta"), PAYMENTS_DEV, "member")

    assert not failed.value.uncertain
    assert not isinstance(failed.value, SystemRefused)


def test_a_page_that_fails_makes_only_its_channel_unknown(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "partial", path="conversations.members")

    observation = workspace.read(PAYMENTS_DEV, DATA_PLATFORM, ENGINEERS, page_size=2)

    assert "500" in (observation.of(PAYMENTS_DEV).unknown or "")
    assert {holding.handle for holding in observation.of(DATA_PLATFORM).holdings} == {"lena@acme.example"}
    assert {holding.handle for holding in observation.of(ENGINEERS).holdings} == {"ada@acme.example"}


def test_without_the_list_of_users_everything_is_unknown(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "500", path="users.list")

    observation = workspace.read(ENGINEERS)

    assert observation.unknown is not None
    assert not observation.readings


def test_a_channel_that_the_token_cannot_see_is_unknown_and_says_the_way_out(workspace: Workspace) -> None:
    hidden = Resource("slack", "channel", "board-only")

    reading = workspace.read(hidden).of(hidden)

    assert reading.unknown is not None
    assert "invite its bot" in reading.unknown


def test_a_reading_is_never_complete_because_private_channels_may_be_hidden(workspace: Workspace) -> None:
    observation = workspace.read()

    assert not observation.complete
    assert {PAYMENTS_DEV, DATA_PLATFORM, ONBOARDING, ENGINEERS} <= observation.readings.keys()


def test_pages_of_one_give_the_same_reading_as_a_single_page(workspace: Workspace) -> None:
    small, large = workspace.read(page_size=1), workspace.read()

    assert small.readings == large.readings
    assert small.accounts == large.accounts


def test_a_read_goes_on_after_a_rate_limit(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "429", path="usergroups.list", times=1, retry_after=0)

    assert workspace.members(ENGINEERS) == {"ada"}


def test_a_rate_limited_write_is_sent_once_and_tells_how_long_to_wait(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "429", path="conversations.invite", retry_after=7)

    with pytest.raises(SystemFailed) as limited:
        workspace.writer.grant(workspace.account("marta"), PAYMENTS_DEV, "member")

    assert (limited.value.retry_after, limited.value.uncertain) == (7.0, False)
    assert workspace.calls() == ["conversations.invite"]


@BOTH
def test_a_lost_answer_is_uncertain_and_the_next_try_finds_it_done(workspace: Workspace, resource: Resource) -> None:
    marta = workspace.account("marta")
    workspace.sandbox.fault("slack", "drop-after", path="conversations.invite|usergroups.users.update", times=1)

    with pytest.raises(SystemFailed) as lost:
        workspace.writer.grant(marta, resource, "member")

    assert lost.value.uncertain
    assert not workspace.writer.grant(marta, resource, "member").changed
    assert "marta" in workspace.members(resource)


def test_a_server_error_on_a_write_is_uncertain(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "500", path="conversations.kick")

    with pytest.raises(SystemFailed) as failed:
        workspace.writer.revoke(workspace.account("ada"), PAYMENTS_DEV, "member")

    assert failed.value.uncertain


@BOTH
def test_a_token_that_may_only_read_is_refused_and_keeps_its_secret(workspace: Workspace, resource: Resource) -> None:
    token = workspace.sandbox.slack["read_token"]

    with pytest.raises(SystemRefused, match="missing_scope") as refused:
        workspace.writing(token).grant(workspace.account("marta"), resource, "member")

    assert token not in f"{refused.value!r} {refused.value}"
    assert "marta" not in workspace.members(resource)


@BOTH
def test_what_is_done_twice_changes_once_and_leaves_the_others_alone(workspace: Workspace, resource: Resource) -> None:
    marta, before = workspace.account("marta"), workspace.members(resource)

    def twice(*receipts: Receipt) -> list[bool]:
        return [receipt.changed for receipt in receipts]

    write = workspace.writer
    assert twice(write.grant(marta, resource, "member"), write.grant(marta, resource, "member")) == [True, False]
    assert workspace.members(resource) == before | {"marta"}
    assert twice(write.revoke(marta, resource, "member"), write.revoke(marta, resource, "member")) == [True, False]
    assert workspace.members(resource) == before


def test_two_writers_under_the_containers_lease_lose_nobody_of_a_user_group(workspace: Workspace) -> None:
    lease = Lock()

    def add(person: str) -> Receipt:
        with lease:
            return workspace.writer.grant(workspace.account(person), ENGINEERS, "member")

    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(add, ["marta", "jonas", "ines", "piet"]))

    assert all(receipt.changed for receipt in receipts)
    assert workspace.members(ENGINEERS) == {"ada", "marta", "jonas", "ines", "piet"}
    assert workspace.writer.replaces_all(ENGINEERS)
    assert not workspace.writer.replaces_all(PAYMENTS_DEV)


def test_the_last_one_to_leave_disables_the_user_group_and_nobody_comes_back_with_the_next(
    workspace: Workspace,
) -> None:
    workspace.writer.revoke(workspace.account("ada"), ENGINEERS, "member")
    assert workspace.calls() == ["usergroups.disable"]
    assert workspace.members(ENGINEERS) == set()

    workspace.writer.grant(workspace.account("marta"), ENGINEERS, "member")
    assert workspace.members(ENGINEERS) == {"marta"}


def test_a_guest_is_refused_a_user_group_before_anything_is_sent(workspace: Workspace) -> None:
    with pytest.raises(SystemRefused, match="guest"):
        workspace.writer.grant(workspace.account("marta", AccountKind.GUEST), ENGINEERS, "member")

    assert workspace.sandbox.requests("slack") == []


def test_a_deactivated_account_does_not_count_as_granted(workspace: Workspace) -> None:
    workspace.sandbox.delete_accounts("marta", "slack")

    with pytest.raises(SystemRefused, match="deactivated"):
        workspace.writer.grant(workspace.account("marta"), ENGINEERS, "member")

    assert workspace.members(ENGINEERS) == {"ada"}


def test_not_in_channel_about_the_bot_is_no_proof_that_the_person_left(workspace: Workspace) -> None:
    bot = workspace.reading().read(Scope(frozenset({ONBOARDING})))
    assert bot.of(ONBOARDING).holdings
    onboarding = next(c for c in workspace.as_("ada").conversations_list()["channels"] if c["name"] == "onboarding")
    bot_user = WebClient(workspace.sandbox.slack["bot_token"], base_url=workspace.sandbox.slack["base_url"]).auth_test()
    workspace.as_("ada").conversations_kick(channel=onboarding["id"], user=bot_user["user_id"])

    with pytest.raises(SystemRefused, match="bot isn't in that channel"):
        workspace.writer.revoke(workspace.account("piet"), ONBOARDING, "member")

    assert not workspace.writer.revoke(workspace.account("marta"), ONBOARDING, "member").changed


def test_an_order_that_slack_has_no_word_for_is_refused(workspace: Workspace) -> None:
    marta = workspace.account("marta")
    for account, resource, level in [
        (marta, Resource("slack", "usergroup", "no-such-group"), "member"),
        (marta, Resource("slack", "channel", "no-such-channel"), "member"),
        (marta, ENGINEERS, "owner"),
        (replace(marta, external_id=None), PAYMENTS_DEV, "member"),
    ]:
        with pytest.raises(SystemRefused):
            workspace.writer.grant(account, resource, level)


def test_a_cut_off_deactivates_the_account_so_that_it_holds_nothing(workspace: Workspace) -> None:
    ada = workspace.account("ada")

    receipts = workspace.writing(workspace.sandbox.slack["bot_token"], admin=True).cut_off(ada)

    assert receipts[0].status == "200 deactivated"
    assert workspace.read().accounts[ada.external_id or ""].state is AccountState.GONE
    assert workspace.held("ada") == set()


def test_a_cut_off_of_an_account_that_slack_does_not_know_finds_it_gone(workspace: Workspace) -> None:
    stranger = replace(workspace.account("marta"), external_id="U0NOBODY000")

    for admin in (True, False):
        writer = workspace.writing(workspace.sandbox.slack["bot_token"], admin=admin)
        assert not any(receipt.changed for receipt in writer.cut_off(stranger))


def test_a_cut_off_without_scim_leaves_every_channel_and_user_group(workspace: Workspace) -> None:
    workspace.writer.grant(workspace.account("marta"), ENGINEERS, "member")

    workspace.writer.cut_off(workspace.account("ada"))

    assert workspace.held("ada") == set()
    assert workspace.members(ENGINEERS) == {"marta"}


@pytest.mark.parametrize("broken", ["/scim/", "admin.users.session", "usergroups.list"])
def test_a_cut_off_pulls_every_lever_though_one_breaks(workspace: Workspace, broken: str) -> None:
    workspace.sandbox.fault("slack", "500", path=broken)
    writer = workspace.writing(workspace.sandbox.slack["bot_token"], admin=True)

    with pytest.raises(SystemFailed) as failed:
        writer.cut_off(workspace.account("ada"))

    assert failed.value.uncertain
    assert not isinstance(failed.value, SystemRefused)
    workspace.sandbox.clear_faults()
    assert workspace.held("ada") == set()


def test_a_cut_off_tries_every_channel_where_slack_will_not_tell_which(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "forbidden", path="users.conversations")

    workspace.writer.cut_off(workspace.account("ada"))

    assert workspace.held("ada") == set()


def test_an_account_is_found_by_id_or_address_and_never_by_anything_else(workspace: Workspace) -> None:
    reader = workspace.reading()

    by_address = reader.find_account("marta@nordwind.example")

    assert by_address is not None
    assert by_address.external_id == workspace.account("marta").external_id
    assert reader.find_account(by_address.external_id or "") == by_address
    assert reader.find_account("nobody@nordwind.example") is None
    assert reader.find_account("U0NOSUCHUSER") is None
    with pytest.raises(SystemRefused, match="e-mail address"):
        reader.find_account("marta")


def test_loopback_is_reached_past_a_proxy_of_the_environment(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, nowhere())
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    assert workspace.read(ENGINEERS).unknown is None
    assert workspace.writing(workspace.sandbox.slack["bot_token"], admin=True).cut_off(workspace.account("ada"))


def test_health_tells_rights_that_are_missing_and_rights_that_are_too_many(workspace: Workspace) -> None:
    reads, writes = workspace.reading().health(), workspace.writer.health()
    assert (reads.missing, reads.excess, reads.problem) == ((), (), "")
    assert (writes.missing, writes.excess, writes.problem) == ((), (), "")

    assert "usergroups:write" in workspace.reading(token="bot_token").health().excess
    assert "groups:write" in workspace.writing(workspace.sandbox.slack["read_token"]).health().missing
    assert "invalid_auth" in workspace.writing("xoxb-wrong").health().problem
