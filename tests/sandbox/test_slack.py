"""The simulated Slack, asked by the unmodified SDK over HTTP: first how it says no, then what it does."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.scim import SCIMClient

from onboard.errors import SystemFailed
from onboard.sandbox.client import SandboxClient
from onboard.sandbox.core import Clock, Credentials
from onboard.sandbox.slack import METHODS, SlackSimulator
from onboard.sandbox.slack_state import BOT_USER, TEAM
from onboard.sandbox.world import demo_world

ADA, PIET, LENA = "U0ADA000001", "U0PIET00001", "U0LENA00001"
MARTA, JONAS = "U0MARTA0001", "U0JONAS0001"
NEWCOMER = "newcomer@nordwind.example"
TOKENS = {"write": "bot_token", "admin": "admin_token", "read": "read_token"}


class Workspace:
    """The sandbox's Slack and the SDK's clients for it."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox

    def client(self, label: str = "write") -> WebClient:
        settings = self.sandbox.slack
        token = settings[TOKENS[label]] if label in TOKENS else self.sandbox.person(label).slack["token"]
        return WebClient(token, base_url=settings["base_url"])

    def channels(self, label: str = "write") -> dict[str, str]:
        pages = self.client(label).conversations_list(types="public_channel,private_channel")
        return {channel["name"]: channel["id"] for page in pages for channel in page["channels"]}

    def members(self, channel: str) -> set[str]:
        return set(self.client().conversations_members(channel=channel)["members"])

    def usergroup(self, handle: str, include_disabled: bool = False) -> dict[str, Any]:
        groups = self.client().usergroups_list(include_users=True, include_disabled=include_disabled)["usergroups"]
        return next(dict(group) for group in groups if group["handle"] == handle)

    def invite_guest(self, channel: str, **more: Any) -> None:
        asked: dict[str, Any] = {"team_id": TEAM, "email": NEWCOMER, "channel_ids": [channel], "is_restricted": True}
        self.client("admin").admin_users_invite(**asked | more)

    def accept(self, person: str) -> list[str]:
        return self.sandbox.accept(person, "slack")

    def deactivate(self, person: str) -> None:
        self.sandbox.delete_accounts(person, "slack")

    def now(self) -> datetime:
        return datetime.fromisoformat(self.sandbox.advance())

    def held(self, person: str) -> set[tuple[str, str]]:
        lines = self.sandbox.holdings(person)
        return {(line["resource"], line["state"]) for line in lines if line["system"] == "slack"}


Start = Callable[[Mapping[str, Any]], Workspace]


@pytest.fixture
def start(sandbox: SandboxClient) -> Iterator[Start]:
    def begin(world: Mapping[str, Any]) -> Workspace:
        sandbox.reset(world)
        return Workspace(sandbox)

    yield begin
    sandbox.reset(demo_world().model_dump())  # without a world it would go back to the last one


@pytest.fixture
def slack(sandbox: SandboxClient) -> Workspace:
    return Workspace(sandbox)


@pytest.fixture
def roomy(start: Start) -> Workspace:
    """With a simulated human who has no Slack account yet."""
    return start(world_with())


def world_with(**kinds: str) -> dict[str, Any]:
    """The demo world with somebody who has no Slack account yet, and people of other kinds where asked for."""
    data = demo_world().model_dump()
    data["people"]["newcomer"] = {"name": "Nele Comer", "email": NEWCOMER}
    for person, kind in kinds.items():
        data["people"][person]["slack"]["kind"] = kind
    return data


@contextmanager
def refused(error: str) -> Iterator[dict[str, Any]]:
    """What the SDK raises: Slack's word, and the whole answer to look into."""
    answer: dict[str, Any] = {}
    with pytest.raises(SlackApiError) as failure:
        yield answer
    answer.update(failure.value.response.data)
    assert (answer["ok"], answer["error"]) == (False, error)


# How it says no


def test_a_missing_an_unknown_and_a_deactivated_accounts_token_are_told_apart(slack: Workspace) -> None:
    slack.deactivate("marta")

    with refused("account_inactive"):
        slack.client("marta").auth_test()
    with refused("invalid_auth"):
        WebClient("xoxb-made-up", base_url=slack.sandbox.slack["base_url"]).auth_test()
    assert requests.get(f"{slack.sandbox.slack['base_url']}auth.test", timeout=5).json() == {
        "ok": False,
        "error": "not_authed",
    }


@pytest.mark.parametrize("method", sorted(name for name, method in METHODS.items() if method.writes))
def test_the_reading_token_is_let_into_no_method_that_writes(slack: Workspace, method: str) -> None:
    before = slack.sandbox.holdings()

    with refused("not_allowed_token_type" if method.startswith("admin.") else "missing_scope"):
        slack.client("read").api_call(method, params={"channel": "C1", "user": MARTA})

    assert slack.sandbox.holdings() == before
    assert [entry["path"] for entry in slack.sandbox.writes("slack")] == [f"/api/{method}"]


def test_a_missing_scope_is_named(slack: Workspace) -> None:
    with refused("missing_scope") as answer:
        slack.client("marta").admin_users_list(team_id=TEAM)

    assert answer["needed"] == "admin.users:read"
    assert "groups:read" in answer["provided"].split(",")


def test_a_token_shows_its_scopes_in_a_header(slack: Workspace) -> None:
    def scopes(label: str) -> set[str]:
        return set(slack.client(label).auth_test().headers["x-oauth-scopes"].split(","))

    assert {"channels:manage", "usergroups:write"} <= scopes("write")
    assert not any(scope.endswith((":write", ":manage")) for scope in scopes("read"))
    assert slack.client("read").auth_test()["user_id"] == BOT_USER


def test_a_private_channel_does_not_exist_for_who_is_not_in_it(slack: Workspace) -> None:
    channel = slack.channels()["payments-dev"]

    assert set(slack.channels("mallory")) == {"onboarding"}
    assert slack.client("mallory").users_conversations()["channels"] == []
    with refused("channel_not_found"):
        slack.client("mallory").conversations_members(channel=channel)


def test_a_private_channel_is_lost_to_the_bot_that_was_kicked_from_it(slack: Workspace) -> None:
    channel = slack.channels()["payments-dev"]

    slack.client("ada").conversations_kick(channel=channel, user=BOT_USER)

    assert "payments-dev" not in slack.channels()
    with refused("channel_not_found"):
        slack.client().conversations_invite(channel=channel, users=MARTA)


def test_one_bad_name_stops_a_whole_invitation_unless_it_is_forced(slack: Workspace) -> None:
    channel = slack.channels()["payments-dev"]
    wanted = [MARTA, "U0NOBODY", ADA]

    with refused("user_not_found") as answer:
        slack.client().conversations_invite(channel=channel, users=wanted)
    assert [(item["user"], item["error"]) for item in answer["errors"]] == [
        ("U0NOBODY", "user_not_found"),
        (ADA, "already_in_channel"),
    ]
    assert MARTA not in slack.members(channel)

    forced = slack.client().conversations_invite(channel=channel, users=wanted, force=True)
    assert len(forced["errors"]) == 2
    assert MARTA in slack.members(channel)


def test_inviting_twice_and_kicking_twice_are_errors(slack: Workspace) -> None:
    bot, channel = slack.client(), slack.channels()["payments-dev"]

    bot.conversations_invite(channel=channel, users=MARTA)
    with refused("already_in_channel"):
        bot.conversations_invite(channel=channel, users=MARTA)
    bot.conversations_kick(channel=channel, user=MARTA)
    with refused("not_in_channel"):
        bot.conversations_kick(channel=channel, user=MARTA)
    with refused("cant_kick_self"):
        bot.conversations_kick(channel=channel, user=BOT_USER)


def test_not_in_channel_may_mean_the_bot_although_the_person_is_in(slack: Workspace) -> None:
    channel = slack.channels()["onboarding"]
    slack.client("ada").conversations_kick(channel=channel, user=BOT_USER)

    with refused("not_in_channel"):
        slack.client().conversations_kick(channel=channel, user=PIET)

    assert PIET in slack.members(channel)


def test_more_than_a_hundred_at_once_are_too_many(slack: Workspace) -> None:
    with refused("too_many_users"):
        slack.client().conversations_invite(channel=slack.channels()["onboarding"], users=[f"U{n}" for n in range(101)])


def test_a_deactivated_person_cannot_be_invited(slack: Workspace) -> None:
    slack.deactivate("marta")

    with refused("cant_invite"):
        slack.client().conversations_invite(channel=slack.channels()["payments-dev"], users=MARTA)


def test_a_single_channel_guest_stays_in_one_channel(start: Start) -> None:
    slack = start(world_with(marta="single-channel-guest"))
    channels = slack.channels()
    slack.client().conversations_invite(channel=channels["payments-dev"], users=MARTA)

    with refused("ura_max_channels"):
        slack.client().conversations_invite(channel=channels["onboarding"], users=MARTA)
    with refused("user_is_restricted"):
        slack.client("marta").conversations_invite(channel=channels["payments-dev"], users=JONAS)
    assert set(slack.channels("marta")) == {"payments-dev"}


def test_a_user_group_is_replaced_as_a_whole_and_cannot_be_emptied(slack: Workspace) -> None:
    group = slack.usergroup("payments-engineers")["id"]

    slack.client().usergroups_users_update(usergroup=group, users=[MARTA])
    assert slack.usergroup("payments-engineers")["users"] == [MARTA]
    with refused("no_users_provided"):
        slack.client().usergroups_users_update(usergroup=group, users=[])
    assert slack.usergroup("payments-engineers")["users"] == [MARTA]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("guest", "invalid_users"), ("single-channel-guest", "single_channel_guests_cannot_be_added")],
)
def test_a_user_group_takes_no_guests(start: Start, kind: str, error: str) -> None:
    slack = start(world_with(marta=kind))
    group = slack.usergroup("payments-engineers")["id"]

    with refused(error):
        slack.client().usergroups_users_update(usergroup=group, users=[ADA, MARTA])

    assert slack.usergroup("payments-engineers")["users"] == [ADA]


def test_failed_for_some_users_means_that_the_others_were_set(slack: Workspace) -> None:
    slack.deactivate("marta")
    group = slack.usergroup("payments-engineers")["id"]

    with refused("failed_for_some_users"):
        slack.client().usergroups_users_update(usergroup=group, users=[JONAS, MARTA])

    assert slack.usergroup("payments-engineers")["users"] == [JONAS]


def test_a_disabled_user_group_is_hidden_but_keeps_its_people(slack: Workspace) -> None:
    group = slack.usergroup("payments-engineers")["id"]

    slack.client().usergroups_disable(usergroup=group)

    assert [shown["handle"] for shown in slack.client().usergroups_list()["usergroups"]] == ["qa-engineers"]
    hidden = slack.usergroup("payments-engineers", include_disabled=True)
    assert (hidden["date_delete"] > 0, hidden["users"]) == (True, [ADA])
    slack.client().usergroups_enable(usergroup=group)
    assert slack.usergroup("payments-engineers")["date_delete"] == 0


def test_a_user_groups_handle_is_taken_once(slack: Workspace) -> None:
    made = slack.client().usergroups_create(name="Data readers", handle="data-readers")["usergroup"]

    assert slack.client().usergroups_users_list(usergroup=made["id"])["users"] == []
    with refused("handle_already_exists"):
        slack.client().usergroups_create(name="Others", handle="data-readers")


# Pages


def test_an_unpaged_list_of_users_stops_at_a_thousand(start: Start) -> None:
    people = {
        f"p{n}": {"name": f"P {n}", "email": f"p{n}@acme.example", "slack": {"id": f"U{n:07}"}} for n in range(1005)
    }
    client = start({"people": people}).client()

    assert len(client.users_list()["members"]) == 1000
    assert len([user for page in client.users_list(limit=200) for user in page["members"]]) == 1007


def test_a_page_of_channels_may_be_short_and_not_the_last(slack: Workspace) -> None:
    pages = [page["channels"] for page in slack.client().conversations_list(types="public_channel", limit=1)]

    assert sorted(map(len, pages)) == [0, 0, 0, 1]
    with refused("invalid_cursor"):
        slack.client().conversations_list(cursor="made-up")


def test_the_members_of_a_channel_come_page_by_page(slack: Workspace) -> None:
    client, channel = slack.client(), slack.channels()["payments-dev"]

    pages = [page["members"] for page in client.conversations_members(channel=channel, limit=3)]

    assert [len(page) for page in pages] == [3, 1]


# Accounts


def test_a_deactivated_person_vanishes_from_channels_groups_and_look_ups(slack: Workspace) -> None:
    slack.client().conversations_invite(channel=slack.channels()["payments-dev"], users=MARTA)
    slack.client().usergroups_users_update(usergroup=slack.usergroup("payments-engineers")["id"], users=[ADA, MARTA])

    settings = slack.sandbox.slack
    scim = SCIMClient(settings["admin_token"], base_url=settings["scim_base_url"])
    assert scim.delete_user(MARTA).status_code == 200

    assert slack.held("marta") == set()
    assert MARTA not in slack.members(slack.channels()["payments-dev"])
    with refused("users_not_found"):
        slack.client().users_lookupByEmail(email="marta@nordwind.example")
    [listed] = [user for user in slack.client().users_list()["members"] if user["id"] == MARTA]
    assert listed["deleted"] is True
    assert "is_restricted" not in listed
    with refused("account_inactive"):
        slack.client("marta").auth_test()


def test_an_invited_guest_is_in_nothing_until_they_accept(roomy: Workspace) -> None:
    channel = roomy.channels()["payments-dev"]
    roomy.invite_guest(channel)

    guest = roomy.client().users_lookupByEmail(email=NEWCOMER)["user"]
    assert (guest["is_invited_user"], guest["is_restricted"]) == (True, True)
    assert guest["id"] not in roomy.members(channel)
    assert roomy.held("newcomer") == {("channel:payments-dev", "invited")}

    assert roomy.accept("newcomer") == ["slack:workspace:acme", "slack:channel:payments-dev"]
    assert guest["id"] in roomy.members(channel)
    assert roomy.held("newcomer") == {("channel:payments-dev", "active")}
    assert roomy.accept("newcomer") == []


def test_an_expired_invitation_cannot_be_accepted_but_sent_again(roomy: Workspace) -> None:
    channel = roomy.channels()["payments-dev"]
    roomy.invite_guest(channel)
    with refused("already_in_team_invited_user"):
        roomy.invite_guest(channel)

    roomy.sandbox.advance(days=31)

    assert roomy.accept("newcomer") == []
    assert roomy.held("newcomer") == {("channel:payments-dev", "expired")}
    roomy.invite_guest(channel)
    assert roomy.held("newcomer") == {("channel:payments-dev", "invited")}


def test_a_withdrawn_invitation_cannot_be_accepted(roomy: Workspace) -> None:
    roomy.invite_guest(roomy.channels()["payments-dev"])
    guest = roomy.client().users_lookupByEmail(email=NEWCOMER)["user"]["id"]

    roomy.client("admin").admin_users_remove(team_id=TEAM, user_id=guest)

    assert roomy.accept("newcomer") == []
    with refused("user_already_deleted"):
        roomy.client("admin").admin_users_remove(team_id=TEAM, user_id=guest)
    with refused("user_disabled"):
        roomy.invite_guest(roomy.channels()["payments-dev"])


def test_a_guests_account_ends_when_its_time_is_up(roomy: Workspace) -> None:
    channel, admin = roomy.channels()["payments-dev"], roomy.client("admin")
    end = roomy.now() + timedelta(days=10)
    roomy.invite_guest(channel, guest_expiration_ts=end.timestamp())
    roomy.accept("newcomer")
    guest = roomy.client().users_lookupByEmail(email=NEWCOMER)["user"]["id"]

    later = end + timedelta(days=10)
    admin.admin_users_setExpiration(team_id=TEAM, user_id=guest, expiration_ts=int(later.timestamp()))
    roomy.sandbox.advance(days=11)
    assert guest in roomy.members(channel)
    roomy.sandbox.advance(days=10)
    assert guest not in roomy.members(channel)
    with refused("user_is_already_deleted"):
        admin.admin_users_setExpiration(user_id=guest, expiration_ts=0)


def test_admin_methods_name_what_is_wrong_with_their_arguments(slack: Workspace) -> None:
    admin, channel = slack.client("admin"), slack.channels()["payments-dev"]

    with refused("user_is_not_a_guest"):
        admin.admin_users_setExpiration(user_id=MARTA, expiration_ts=0)
    with refused("already_in_team"):
        slack.invite_guest(channel, email="marta@nordwind.example")
    with refused("failed_to_validate_channels"):
        slack.invite_guest("C0NOWHERE")
    with refused("failed_to_validate_expiration"):
        slack.invite_guest(channel, guest_expiration_ts=slack.now().timestamp() - 1)
    with refused("team_not_found"):
        slack.invite_guest(channel, team_id="T0OTHER")
    with refused("not_allowed_token_type"):
        slack.client().admin_users_session_reset(user_id=MARTA)
    assert admin.admin_users_session_reset(user_id=MARTA)["ok"]


def test_admin_users_list_keeps_deactivated_people_apart(slack: Workspace) -> None:
    slack.deactivate("marta")
    admin = slack.client("admin")

    gone = [user["id"] for user in admin.admin_users_list(team_id=TEAM, is_active=False)["users"]]
    active = {user["id"] for page in admin.admin_users_list(team_id=TEAM, limit=4) for user in page["users"]}

    assert gone == [MARTA]
    assert {ADA, JONAS, BOT_USER} <= active
    assert MARTA not in active


# The rest


def test_arguments_may_come_as_json_too(slack: Workspace) -> None:
    channel = slack.channels()["payments-dev"]

    slack.client().api_call("conversations.invite", json={"channel": channel, "users": f"{MARTA},{JONAS}"})

    assert {MARTA, JONAS} <= slack.members(channel)


def test_a_message_goes_to_a_channel_or_a_person_but_no_stranger_posts(slack: Workspace) -> None:
    channel = slack.channels()["payments-dev"]

    posted = slack.client().chat_postMessage(channel="#payments-dev", text="Welcome, Marta")
    told = slack.client().chat_postMessage(channel=ADA, text="Please approve")

    assert (posted["channel"], posted["message"]["text"]) == (channel, "Welcome, Marta")
    assert (told["channel"], posted["ts"] < told["ts"]) == (f"D{ADA[1:]}", True)
    with refused("channel_not_found"):
        slack.client("mallory").chat_postMessage(channel="#payments-dev", text="hello")
    with refused("no_text"):
        slack.client().chat_postMessage(channel=channel, text="")


def test_a_renamed_member_keeps_the_id(slack: Workspace) -> None:
    slack.sandbox.rename("marta", slack="marta.k")

    assert slack.client().users_info(user=MARTA)["user"]["name"] == "marta.k"
    with pytest.raises(SystemFailed, match="is taken"):
        slack.sandbox.rename("marta", slack="jonas")


def test_its_whole_state_survives_json() -> None:
    world = demo_world()
    simulator = SlackSimulator(world, Clock(), Credentials(b"key", world))
    saved, held = json.loads(json.dumps(simulator.state())), list(simulator.holdings())

    simulator.forget("ada")
    assert list(simulator.holdings()) != held
    simulator.restore(saved)

    assert (simulator.state(), list(simulator.holdings())) == (saved, held)
