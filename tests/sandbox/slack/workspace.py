"""The sandbox's Slack as its tests meet it: the SDK's clients, and the words by which they are refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from onboard.sandbox.client import SandboxClient
from onboard.sandbox.slack.state import TEAM
from onboard.sandbox.world import demo_world

ADA, PIET = "U0ADA000001", "U0PIET00001"
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
