"""Calls to Slack over slack-sdk: one client per thread, what each answer means, and lists read to their end.

Slack answers 200 with `ok: false` and an error code; the SDK raises SlackApiError for that and for any other status.
SCIM is another API: its client never raises for a status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from onboard.connectors.http import PerThread, limited, read_only, reading, retry_after, status_failure, transport
from onboard.connectors.pacing import UNPACED, Pace
from onboard.connectors.slack.client import LIMITED, error_code, web_client
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountKind, AccountState

Clock = Callable[[], datetime]
Ask = Callable[[WebClient], SlackResponse]

#: Entries on a page: Slack wants fewer than 1000.
PAGE_SIZE = 999

#: Errors after which the call may have taken effect all the same.
_UNCERTAIN = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
_DETAILS: Mapping[str, str] = {
    "account_inactive": "the token's user is deactivated",
    "cant_invite": "that person can't be invited to this channel",
    "cant_invite_self": "the account is the automation's own",
    "cant_kick_from_general": "nobody can be removed from the workspace's general channel",
    "cant_kick_self": "the account is the automation's own",
    "channel_not_found": "the channel isn't visible to the token; invite its bot there",
    "invalid_auth": "the token isn't valid",
    "is_archived": "the channel is archived; unarchive it first",
    "missing_scope": "the token lacks a scope; see onboard doctor",
    "not_allowed_token_type": "this needs another type of token",
    "not_authed": "no token was sent",
    "not_in_channel": "the bot isn't in that channel; invite it there",
    "plan_upgrade_required": "the workspace's plan doesn't have this",
    "restricted_action": "the workspace's settings don't allow it to the token",
    "token_expired": "the token has expired",
    "token_revoked": "the token was revoked",
    "ura_max_channels": "a single-channel guest is in a channel already",
    "user_is_restricted": "a guest can't have this",
    "user_is_ultra_restricted": "a single-channel guest is in a channel already",
    "user_not_found": "there is no such active user",
    "users_not_found": "there is no such active user",
}


class SlackRefused(SystemRefused):
    """A definite no, with Slack's error code."""

    def __init__(self, system: str, reason: str, code: str) -> None:
        super().__init__(system, reason)
        self.code = code


class SlackPartly(SystemFailed):
    """`failed_for_some_users`: it took effect for the others. Read to see for whom."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as listed: its id and its name without `#`."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class UserGroup:
    """A user group as listed. A disabled one keeps its list of users, though none of them is in it any more."""

    id: str
    handle: str
    enabled: bool
    users: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """Who is in it now."""
        return self.users if self.enabled else ()


class Slack:
    """The calls that onboard makes, with one token. `retry` repeats reads that fail for something that may pass.

    Reads raise SystemFailed, never uncertain: they changed nothing. Writes are sent once.
    """

    def __init__(
        self,
        system: str,
        base_url: str,
        token: SecretStr,
        clock: Clock,
        *,
        retry: bool,
        page_size: int = PAGE_SIZE,
        pace: Pace = UNPACED,
    ) -> None:
        self.system = system
        self._clock = clock
        self._retry = retry
        self._page_size = page_size
        self._client = PerThread(lambda: web_client(base_url, token, clock, pace))

    def send(self, doing: str, ask: Ask) -> SlackResponse:
        """Send one request, once. Raises as base.Writer says: SlackRefused with the code, or SystemFailed."""
        try:
            with transport(self.system, doing):
                return ask(self._client())
        except SlackApiError as error:
            raise self._failure(doing, error.response) from None
        except SlackClientError:
            raise SystemFailed(
                self.system, f"{doing}: the SDK could not make sense of the answer.", uncertain=True
            ) from None

    def find(self, doing: str, ask: Ask) -> SlackResponse:
        """What a read answered."""
        if self._retry:
            return reading(lambda: self.send(doing, ask))
        with read_only():
            return self.send(doing, ask)

    def pages(self, doing: str, key: str, ask: Callable[[WebClient, str, int], SlackResponse]) -> Iterator[Any]:
        """The entries under `key` of every page. `ask` gets the client, the cursor and the page's size."""
        cursor, seen = "", {""}
        while True:
            answer = self.find(doing, lambda c, at=cursor: ask(c, at, self._page_size))  # type: ignore[misc]
            yield from answer.get(key) or ()
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return
            if cursor in seen:
                raise SystemFailed(self.system, f"{doing}: the same page came twice. Try again later.")
            seen.add(cursor)

    def _failure(self, doing: str, response: SlackResponse) -> SystemFailed:
        if response.status_code != requests.codes.ok:
            return status_failure(self.system, doing, response.status_code, response.headers, self._clock())
        code = error_code(response)
        if code in LIMITED:
            return limited(self.system, doing, response.status_code, retry_after(response.headers, self._clock()))
        if code == "failed_for_some_users":
            return SlackPartly(self.system, f"{doing}: answered {code}.", uncertain=True)
        if code in _UNCERTAIN or not code:
            told = code or "something that isn't Slack's; check that the address leads to it"
            return SystemFailed(self.system, f"{doing}: answered {told}.", uncertain=True)
        detail = f" ({_DETAILS[code]})" if code in _DETAILS else ""
        return SlackRefused(self.system, f"{doing}: answered {code}{detail}.", code)

    # Reads

    def users(self) -> dict[str, Mapping[str, Any]]:
        """Every user by id, as Slack tells it, the deactivated ones and bots included (users.list)."""
        pages = self.pages("list the users", "members", lambda c, at, size: c.users_list(cursor=at, limit=size))
        return {user["id"]: user for user in pages}

    def channels(self) -> dict[str, Channel]:
        """Every channel by name that the token can see: public ones, and private ones its bot is in."""
        pages = self.pages(
            "list the channels",
            "channels",
            lambda c, at, size: c.conversations_list(cursor=at, limit=size, types="public_channel,private_channel"),
        )
        return {told["name"]: Channel(told["id"], told["name"]) for told in pages}

    def channel(self, name: str) -> Channel:
        """A channel by its name; SystemRefused where the token can't see one."""
        channel = self.channels().get(name)
        if channel is None:
            raise SystemRefused(self.system, invisible(name))
        return channel

    def channel_members(self, channel: Channel) -> list[str]:
        """The ids of all users in a channel, bots included (conversations.members)."""
        return list(
            self.pages(
                f"list the members of #{channel.name}",
                "members",
                lambda c, at, size: c.conversations_members(channel=channel.id, cursor=at, limit=size),
            )
        )

    def channels_of(self, user: str) -> list[Channel]:
        """The channels that a user is in, as far as the token can see them (users.conversations)."""
        pages = self.pages(
            "list a user's channels",
            "channels",
            lambda c, at, size: c.users_conversations(
                user=user, cursor=at, limit=size, types="public_channel,private_channel"
            ),
        )
        return [Channel(told["id"], told["name"]) for told in pages]

    def user(self, user: str) -> Account:
        """A user by id (users.info). SlackRefused with `user_not_found` where there is none."""
        return account_of(self.system, self.find("look up a user", lambda c: c.users_info(user=user))["user"])

    def user_groups(self) -> dict[str, UserGroup]:
        """Every user group by handle, with its users, the disabled ones included (usergroups.list, one call)."""
        answer = self.find(
            "list the user groups", lambda c: c.usergroups_list(include_users=True, include_disabled=True)
        )
        return {group.handle: group for group in map(_user_group, answer.get("usergroups") or ())}


def invisible(name: str) -> str:
    """Why a channel can't be read or changed."""
    return f"#{name} is not visible to the token: invite its bot there, or check the name."


def account_of(system: str, user: Mapping[str, Any]) -> Account:
    """The account that a user is, as users.list and users.info tell it; its handle is the e-mail address, if shown."""
    handle = (user.get("profile") or {}).get("email") or user.get("name") or user["id"]
    return Account(id="", system=system, external_id=user["id"], handle=handle, kind=_kind(user), state=_state(user))


def is_bot(user: Mapping[str, Any]) -> bool:
    """Whether it is no person. `is_app_user` doesn't say so: it marks people who use the token's app."""
    return bool(user.get("is_bot")) or user["id"] == "USLACKBOT"


def _kind(user: Mapping[str, Any]) -> AccountKind:
    if user.get("is_ultra_restricted"):
        return AccountKind.SINGLE_CHANNEL_GUEST
    return AccountKind.GUEST if user.get("is_restricted") else AccountKind.MEMBER


def _state(user: Mapping[str, Any]) -> AccountState:
    if user.get("deleted"):
        return AccountState.GONE
    return AccountState.INVITED if user.get("is_invited_user") else AccountState.ACTIVE


def _user_group(told: Mapping[str, Any]) -> UserGroup:
    return UserGroup(told["id"], told["handle"], not told.get("date_delete"), tuple(told.get("users") or ()))
