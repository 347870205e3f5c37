"""What an account still holds in Slack by any route, and what nobody but its user can see."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from onboard.connectors.base import Residue, Scope
from onboard.connectors.slack.reader import SlackReader
from onboard.connectors.slack.writer import SlackWriter
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, HoldingState, Resource
from onboard.sandbox.client import SandboxClient

WORKSPACE = Resource("slack", "workspace", "acme")
TEAM = "T0ACME00001"


def clock() -> datetime:
    return datetime.now(UTC)


class Workspace:
    """Readers by token, the writer with all that it can have, and clients of the automation."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox
        self.at = sandbox.slack
        admin, scim = SecretStr(self.at["admin_token"]), self.at["scim_base_url"]
        self.writer = SlackWriter("slack", self.at["base_url"], SecretStr(self.at["bot_token"]), admin, scim, clock)
        self.marta = self.account("marta")

    def reader(self, token: str = "read_token") -> SlackReader:
        return SlackReader("slack", self.at["base_url"], SecretStr(self.at[token]), clock)

    def client(self, token: str) -> WebClient:
        return WebClient(self.at[token], base_url=self.at["base_url"])

    def account(self, person: str) -> Account:
        known = self.sandbox.person(person)
        return Account("a-1", "slack", known.slack["id"], known.email, person="p-1")

    def given(self, *resources: Resource) -> None:
        for resource in resources:
            self.writer.grant(self.marta, resource, "member")

    def shared_with(self, email: str) -> str:
        """A Slack Connect invitation to payments-dev; its id."""
        channels = self.client("bot_token").conversations_list(types="private_channel")["channels"]
        channel = next(each["id"] for each in channels if each["name"] == "payments-dev")
        return str(self.client("bot_token").conversations_inviteShared(channel=channel, emails=email)["invite_id"])


@pytest.fixture
def workspace(sandbox: SandboxClient) -> Workspace:
    return Workspace(sandbox)


def resources(residue: Residue) -> set[str]:
    return {f"{holding.resource.type}:{holding.resource.name}" for holding in residue.remaining}


def beyond(residue: Residue) -> set[str]:
    return {each.what for each in residue.unverifiable}


CHANNEL, GROUP = Resource("slack", "channel", "payments-dev"), Resource("slack", "usergroup", "payments-engineers")


def test_a_slack_that_does_not_answer_leaves_every_route_unknown(workspace: Workspace) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}/api/"

    residue = SlackReader("slack", nowhere, SecretStr("xoxb-1"), clock).residue(workspace.marta)

    assert (residue.routes, residue.remaining) == ((), ())
    assert {"account", "channels", "user groups"} <= {route for route, _ in residue.unknown}


def test_what_the_token_cannot_read_at_all_is_not_verifiable_and_the_rest_is_read(workspace: Workspace) -> None:
    workspace.given(CHANNEL, GROUP)

    residue = workspace.reader().residue(workspace.marta)

    assert resources(residue) == {"workspace:acme", "channel:payments-dev", "usergroup:payments-engineers"}
    assert residue.routes == ("account", "channels", "user groups")
    assert {"sessions", "Slack Connect invitations", "private channels without our bot", "user tokens"} <= beyond(
        residue
    )
    assert residue.unknown == ()


def test_a_route_that_fails_is_unknown_and_no_other(workspace: Workspace) -> None:
    workspace.given(CHANNEL, GROUP)
    workspace.sandbox.fault("slack", "500", path="usergroups.list")

    residue = workspace.reader().residue(workspace.marta)

    assert [route for route, _ in residue.unknown] == ["user groups"]
    assert "channel:payments-dev" in resources(residue)


def test_a_cut_off_leaves_nothing(workspace: Workspace) -> None:
    workspace.given(CHANNEL, GROUP)

    workspace.writer.cut_off(workspace.marta)

    residue = workspace.reader().residue(workspace.marta)
    assert residue.remaining == ()
    assert beyond(residue).isdisjoint({"private channels without our bot", "user tokens"})
    assert "apps and webhooks that the person installed" in beyond(residue)


def test_sessions_are_told_where_an_admin_may_list_them_and_end_with_the_cut_off(workspace: Workspace) -> None:
    reader = workspace.reader("admin_token")
    before = reader.residue(workspace.marta)
    ids = [each["session_id"] for each in workspace.client("admin_token").admin_users_session_list()["active_sessions"]]

    workspace.writer.cut_off(workspace.marta)

    [session] = [holding for holding in before.remaining if holding.resource.type == "session"]
    assert not any(str(id_) in str(session) for id_ in ids)
    after = reader.residue(workspace.marta)
    assert "sessions" in after.routes
    assert "session" not in {holding.resource.type for holding in after.remaining}


def test_an_invitation_to_share_a_channel_is_held_by_the_address_until_it_lapses(workspace: Workspace) -> None:
    invitation = workspace.shared_with("Marta@Nordwind.example")
    resource = Resource("slack", "connect-invitation", invitation)

    [held] = workspace.reader("bot_token").read(Scope()).of(resource).holdings

    assert (held.account, held.state, held.invitation) == (
        workspace.marta.external_id,
        HoldingState.INVITED,
        invitation,
    )
    assert held.via == "Slack Connect, not accepted yet"
    assert f"connect-invitation:{invitation}" in resources(workspace.reader("bot_token").residue(workspace.marta))
    assert not [r for r in workspace.reader().read(Scope()).readings if r.type == "connect-invitation"]


def test_only_an_accepted_invitation_can_be_declined(workspace: Workspace) -> None:
    sent, accepted = workspace.shared_with("marta@nordwind.example"), workspace.shared_with("marta@nordwind.example")
    workspace.client("bot_token").conversations_acceptSharedInvite(channel_name="x", invite_id=accepted)

    with pytest.raises(SystemRefused, match="invalid_action"):
        workspace.writer.revoke(workspace.marta, Resource("slack", "connect-invitation", sent), "invited")
    workspace.writer.cut_off(workspace.marta)

    left = resources(workspace.reader("bot_token").residue(workspace.marta))
    assert left == {f"connect-invitation:{sent}"}


def test_a_list_of_invitations_that_fails_is_unknown_and_channels_stay_known(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "500", path="listConnectInvites")

    observation = workspace.reader("bot_token").read(Scope())

    assert "500" in (observation.of(Resource("slack", "connect-invitation", "(any)")).unknown or "")
    assert observation.of(CHANNEL).unknown is None


def test_a_list_of_channels_that_fails_leaves_user_groups_known(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "500", path="conversations.list")

    observation = workspace.reader().read(Scope())

    assert "500" in (observation.of(Resource("slack", "channel", "(any)")).unknown or "")
    assert observation.of(GROUP).unknown is None


def test_a_guests_account_says_until_when_it_lasts(sandbox: SandboxClient) -> None:
    world = {
        "people": {"kim": {"name": "Kim", "email": "kim@x.example", "slack": {"id": "U0KIM00001", "kind": "guest"}}},
        "slack": {"workspace": "acme", "channels": [{"name": "onboarding", "members": ["kim"]}]},
    }
    sandbox.reset(world)
    workspace = Workspace.__new__(Workspace)
    workspace.sandbox, workspace.at = sandbox, sandbox.slack
    kim = workspace.account("kim")
    until = clock() + timedelta(days=30)
    workspace.client("admin_token").admin_users_setExpiration(
        team_id=TEAM, user_id="U0KIM00001", expiration_ts=int(until.timestamp())
    )

    residue = workspace.reader().residue(kim)

    [account] = [holding for holding in residue.remaining if holding.resource == WORKSPACE]
    assert account.level == f"guest until {until:%Y-%m-%d}"


def test_the_workspace_is_read_when_asked_for_and_taken_by_deactivating_the_account(workspace: Workspace) -> None:
    reader = workspace.reader()
    assert WORKSPACE not in reader.read(Scope()).readings
    assert workspace.marta.external_id in {
        holding.account for holding in reader.read(Scope(frozenset({WORKSPACE}))).of(WORKSPACE).holdings
    }

    workspace.writer.revoke(workspace.marta, WORKSPACE, "member")

    assert workspace.marta.external_id not in {
        holding.account for holding in reader.read(Scope(frozenset({WORKSPACE}))).of(WORKSPACE).holdings
    }
    with pytest.raises(SlackApiError, match="account_inactive"):
        WebClient(workspace.sandbox.person("marta").slack["token"], base_url=workspace.at["base_url"]).auth_test()


def test_without_scim_an_enterprise_admin_takes_the_account_out_of_the_workspace(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "forbidden", path="/scim/")

    workspace.writer.cut_off(workspace.marta)

    assert workspace.reader().residue(workspace.marta).remaining == ()
    assert "/api/admin.users.remove" in [entry["path"] for entry in workspace.sandbox.writes("slack", 0)]


def test_scim_never_raises_but_its_refusals_are_seen(workspace: Workspace) -> None:
    workspace.sandbox.fault("slack", "forbidden", path="/scim/")
    workspace.sandbox.fault("slack", "forbidden", path="admin.users.remove")

    with pytest.raises(SystemFailed, match="403"):
        workspace.writer.cut_off(workspace.marta)


def test_an_account_that_is_not_bound_is_found_by_its_address(workspace: Workspace) -> None:
    workspace.given(CHANNEL)
    unbound = replace(workspace.marta, external_id=None)

    assert "channel:payments-dev" in resources(workspace.reader().residue(unbound))
    assert workspace.reader().residue(replace(unbound, handle="nobody@x.example")).remaining == ()


def test_capabilities_are_tried_and_say_what_is_lacking(workspace: Workspace) -> None:
    poor = {each.name: each for each in workspace.reader().capabilities()}
    admin = {each.name: each for each in workspace.reader("admin_token").capabilities()}

    assert poor["reading channels"].available is True
    assert poor["reading sessions (Enterprise)"].available is False
    assert admin["reading sessions (Enterprise)"].available is True
    workspace.sandbox.fault("slack", "500", path="conversations.list")
    told = {each.name: each for each in workspace.reader().capabilities()}
    assert told["reading channels"].available is None


def test_a_complete_reading_asks_once_for_each_channel(workspace: Workspace) -> None:
    sent = len(workspace.sandbox.requests("slack"))

    workspace.reader().read(Scope())

    lists, channels, invitations = 3, 4, 1
    assert len(workspace.sandbox.requests("slack")) - sent == lists + channels + invitations


def test_an_administrators_token_that_cannot_write_lets_a_reader_see_sessions(workspace: Workspace) -> None:
    at, admin = workspace.at, SecretStr(workspace.at["read_admin_token"])
    reader = SlackReader("slack", at["base_url"], SecretStr(at["read_token"]), clock, admin_token=admin)

    assert "sessions" in reader.residue(workspace.marta).routes
    assert {each.name: each.available for each in reader.capabilities()}["reading sessions (Enterprise)"]
    assert (reader.health().missing, reader.health().excess) == ((), ())
    with pytest.raises(SlackApiError, match="missing_scope"):
        workspace.client("read_admin_token").admin_users_session_reset(user_id=workspace.marta.external_id or "")
