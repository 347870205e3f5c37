"""The simulated Slack, asked by the unmodified SDK over HTTP: first how it says no, then what it does."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import requests
from slack_sdk import WebClient

from onboard.errors import SystemFailed
from onboard.sandbox.client import SandboxClient
from onboard.sandbox.core import Clock, Credentials
from onboard.sandbox.slack.simulator import METHODS, SlackSimulator
from onboard.sandbox.slack.state import BOT_USER, TEAM
from onboard.sandbox.world import demo_world
from tests.sandbox.slack.workspace import ADA, JONAS, MARTA, PIET, Workspace, refused, world_with

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
