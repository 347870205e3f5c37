"""Slack's SCIM API in the sandbox, asked by the unmodified SDK, which never raises for an error."""

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from slack_sdk import WebClient
from slack_sdk.scim import SCIMClient, User

from onboard.sandbox.core import Clock, Credentials
from onboard.sandbox.slack import SlackSimulator
from onboard.sandbox.world import demo_world

MARTA = "U0MARTA0001"


class Workspace:
    def __init__(self) -> None:
        self.credentials = Credentials(b"a key for tests", demo_world())
        self.simulator = SlackSimulator(demo_world(), Clock(), self.credentials)
        self.url = ""

    def scim(self, label: str = "admin") -> SCIMClient:
        return SCIMClient(self.credentials.token("slack", label), base_url=f"{self.url}/scim/v1/")

    def client(self) -> WebClient:
        return WebClient(self.credentials.token("slack", "write"), base_url=f"{self.url}/api/")


@pytest.fixture
def slack() -> Iterator[Workspace]:
    workspace = Workspace()
    config = uvicorn.Config(workspace.simulator.app, port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    workspace.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield workspace
    server.should_exit = server.force_exit = True
    thread.join()


@pytest.mark.parametrize(("label", "status"), [("write", 403), ("read", 403), ("person:ada", 403), ("nobody", 401)])
def test_only_the_admin_token_deactivates_and_the_sdk_raises_for_no_refusal(
    slack: Workspace, label: str, status: int
) -> None:
    answer = slack.scim(label).delete_user(MARTA)

    assert (answer.status_code, answer.errors is not None) == (status, True)
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
    assert [held for held in slack.simulator.holdings() if held.person == "marta"] == []


def test_people_are_found_by_address_and_listed_page_by_page(slack: Workspace) -> None:
    found = slack.scim().search_users(count=10, start_index=1, filter='email eq "marta@nordwind.example"')
    pages = [slack.scim().search_users(count=4, start_index=start).users for start in (1, 5, 9)]

    assert [user.id for user in found.users] == [MARTA]
    assert [len(page) for page in pages] == [4, 4, 2]
    assert len({user.id for page in pages for user in page}) == 10


def test_groups_are_listed_with_their_members(slack: Workspace) -> None:
    groups = {group.display_name: group for group in slack.scim().search_groups(count=10, start_index=1).groups}

    assert groups["Payments engineers"].to_dict()["members"] == [{"value": "U0ADA000001", "display": "Ada Berg"}]


def test_scim_writes_are_told_by_the_http_verb(slack: Workspace) -> None:
    path = f"/scim/v1/Users/{MARTA}"

    assert [slack.simulator.is_write(verb, path) for verb in ("GET", "PATCH", "DELETE")] == [False, True, True]
    assert not slack.simulator.is_write("POST", "/api/users.list")
