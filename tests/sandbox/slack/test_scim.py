"""Slack's SCIM API in the sandbox, asked by the unmodified SDK, which never raises for an error."""

import pytest
from slack_sdk import WebClient
from slack_sdk.scim import SCIMClient, User

from onboard.sandbox.client import SandboxClient

MARTA = "U0MARTA0001"


class Workspace:
    """The sandbox's Slack and the SDK's clients for it."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox

    def scim(self, token: str = "") -> SCIMClient:
        settings = self.sandbox.slack
        return SCIMClient(token or settings["admin_token"], base_url=settings["scim_base_url"])

    def client(self) -> WebClient:
        return WebClient(self.sandbox.slack["bot_token"], base_url=self.sandbox.slack["base_url"])


@pytest.fixture
def slack(sandbox: SandboxClient) -> Workspace:
    return Workspace(sandbox)


def test_only_the_admin_token_deactivates_and_the_sdk_raises_for_no_refusal(slack: Workspace) -> None:
    settings, person = slack.sandbox.slack, slack.sandbox.person("ada").slack

    answers = [
        slack.scim(token).delete_user(MARTA)
        for token in (settings["bot_token"], settings["read_token"], person["token"], "made-up")
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 401]
    assert [answer.errors.description for answer in answers if answer.errors][2:] == [
        "missing_scope",
        "invalid_authentication",
    ]
    assert slack.scim().read_user(MARTA).user.active is True


def test_an_unknown_id_is_an_error_body_and_no_exception(slack: Workspace) -> None:
    answer = slack.scim().delete_user("U0NOBODY")

    assert answer.errors
    assert (answer.status_code, answer.errors.code, answer.errors.description) == (404, 404, "user_not_found")


def test_what_slack_does_not_understand_is_refused(slack: Workspace) -> None:
    scim = slack.scim()

    assert scim.search_users(count=10, start_index=1, filter="shoeSize gt 40").status_code == 400
    assert scim.search_users(count=10, start_index=1, filter='shoeSize eq "40"').status_code == 400
    assert scim.patch_user(MARTA, User(title="Chief")).status_code == 400


def test_deleting_twice_deactivates_once_and_deletes_nobody(slack: Workspace) -> None:
    assert [slack.scim().delete_user(MARTA).status_code for _ in range(2)] == [200, 200]

    assert slack.scim().read_user(MARTA).user.active is False


def test_coming_back_brings_no_channel_and_no_group_back(slack: Workspace) -> None:
    [group] = [g for g in slack.client().usergroups_list()["usergroups"] if g["handle"] == "qa-engineers"]
    slack.client().usergroups_users_update(usergroup=group["id"], users=["U0LENA00001", MARTA])

    slack.scim().patch_user(MARTA, {"active": False})
    answer = slack.scim().patch_user(MARTA, {"active": True})

    assert answer.user.active is True
    assert slack.client().usergroups_users_list(usergroup=group["id"])["users"] == ["U0LENA00001"]
    assert [line for line in slack.sandbox.holdings("marta") if line["system"] == "slack"] == []


def test_people_are_found_by_address_and_listed_page_by_page(slack: Workspace) -> None:
    found = slack.scim().search_users(count=10, start_index=1, filter='email eq "marta@nordwind.example"')
    pages = [slack.scim().search_users(count=4, start_index=start).users for start in (1, 5, 9)]

    assert [user.id for user in found.users] == [MARTA]
    assert [len(page) for page in pages] == [4, 4, 2]
    assert len({user.id for page in pages for user in page}) == 10


def test_groups_are_listed_with_their_members(slack: Workspace) -> None:
    groups = {group.display_name: group for group in slack.scim().search_groups(count=10, start_index=1).groups}

    members = groups["Payments engineers"].members
    assert isinstance(members, list)
    assert [member.value for member in members] == ["U0ADA000001"]


def test_scim_writes_are_told_by_the_http_verb(slack: Workspace) -> None:
    slack.scim().read_user(MARTA)
    slack.scim().delete_user(MARTA)

    assert [entry["method"] for entry in slack.sandbox.writes("slack")] == ["DELETE"]
