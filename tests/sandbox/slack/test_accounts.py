"""Accounts on the simulated Slack: deactivation, guests and their invitations, the admin methods."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from slack_sdk.scim import SCIMClient

from onboard.sandbox.client import SandboxClient
from onboard.sandbox.slack.state import BOT_USER, TEAM
from onboard.sandbox.world import demo_world
from tests.sandbox.slack.workspace import ADA, JONAS, MARTA, NEWCOMER, Workspace, refused, world_with


@pytest.fixture
def slack(sandbox: SandboxClient) -> Workspace:
    return Workspace(sandbox)


@pytest.fixture
def roomy(sandbox: SandboxClient) -> Iterator[Workspace]:
    """With a simulated human who has no Slack account yet."""
    sandbox.reset(world_with())
    yield Workspace(sandbox)
    sandbox.reset(demo_world().model_dump())  # without a world it would go back to the last one


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
