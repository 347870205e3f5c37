"""What every method of the simulated Slack gets and gives: the call, its arguments, errors, pages, shapes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from onboard.sandbox.slack.state import BOT_ID, OWNER_USER, TEAM, Channel, SlackState, User, UserGroup

T = TypeVar("T")


class SlackError(Exception):
    """An `ok: false`: its `error`, and what else Slack tells."""

    def __init__(self, error: str, **more: Any) -> None:
        self.body = {"ok": False, "error": error, **more}
        super().__init__(error)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is and what it may do; the automation's bot has bot tokens, everybody else a user token."""

    user: User
    scopes: frozenset[str]

    @property
    def bot(self) -> bool:
        """Whether it is a bot token."""
        return self.user.kind == "bot"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed: the workspace, who calls, the arguments however they came, and the time."""

    state: SlackState
    caller: Caller
    args: Mapping[str, Any]
    now: datetime

    def text(self, name: str) -> str:
        """An argument as text; empty where it isn't given."""
        value = self.args.get(name)
        return "" if value is None else str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean argument: `true` and `1`, in any form."""
        value = self.text(name).lower()
        return value in ("true", "1") if value else default

    def items(self, name: str) -> list[str]:
        """A list, given as a JSON list or separated by commas; each item once."""
        value = self.args.get(name) or ""
        parts = value if isinstance(value, list) else str(value).split(",")
        return list(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))


Answer = dict[str, Any]
Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the Web API: any one of `scopes` is enough; `writes` says that it changes state."""

    handler: Handler
    scopes: tuple[str, ...] = ()
    writes: bool = False
    user_token: bool = False

    def admit(self, caller: Caller) -> None:
        """Raises SlackError where the token is of the wrong type or lacks a scope."""
        if self.user_token and caller.bot:
            raise SlackError("not_allowed_token_type")
        if self.scopes and not caller.scopes.intersection(self.scopes):
            provided = ",".join(sorted(caller.scopes))
            raise SlackError("missing_scope", needed=",".join(self.scopes), provided=provided)


def paged(call: Call, things: Mapping[str, T], *, default: int, most: int = 1000) -> tuple[list[T], Answer]:
    """One page of `things` (in order of their ids) and its `response_metadata`.

    Raises SlackError `invalid_limit` or `invalid_cursor`.
    """
    limit = call.text("limit") or "0"
    if not limit.isdigit():
        raise SlackError("invalid_limit")
    size = min(int(limit) or default, most)
    ids = sorted(things)
    if cursor := call.text("cursor"):
        first = _decoded(cursor)
        if first not in things:
            raise SlackError("invalid_cursor")
        ids = [id_ for id_ in ids if id_ >= first]
    following = _encoded(ids[size]) if len(ids) > size else ""
    return [things[id_] for id_ in ids[:size]], {"response_metadata": {"next_cursor": following}}


def _encoded(first: str) -> str:
    return base64.b64encode(f"next_id:{first}".encode()).decode()


def _decoded(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, validate=True).decode().removeprefix("next_id:")
    except ValueError:  # no base64, or no text in it
        raise SlackError("invalid_cursor") from None


def seconds(moment: datetime | None) -> int:
    """A moment as Slack writes it, in whole seconds since 1970; 0 for none."""
    return int(moment.timestamp()) if moment else 0


def moment(value: str, error: str) -> datetime:
    """The moment that a timestamp argument names. Raises SlackError with `error` where it's none."""
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (ValueError, OverflowError, OSError):
        raise SlackError(error) from None


def user_view(call: Call, user: User) -> Answer:
    """A user. A deactivated one lacks the flags that say which kind of account it was."""
    view: Answer = {
        "id": user.id,
        "team_id": TEAM,
        "name": user.name,
        "deleted": user.deleted,
        "profile": _profile(call, user),
        "is_bot": user.kind == "bot",
        "is_app_user": False,
        "updated": seconds(user.updated),
    }
    if user.deleted:
        return view | {"is_forgotten": False}
    flags = {
        "color": "9f69e7",
        "real_name": user.real_name,
        "tz": "Europe/Berlin",
        "tz_label": "Central European Time",
        "tz_offset": 3600,
        "is_admin": user.owner,
        "is_owner": user.owner,
        "is_primary_owner": user.id == OWNER_USER,
        "is_restricted": user.guest,
        "is_ultra_restricted": user.kind == "single-channel-guest",
    }
    return view | flags | ({"is_invited_user": True} if user.invitation else {})


def _profile(call: Call, user: User) -> Answer:
    """The profile; the e-mail address only for tokens with the scope `users:read.email`."""
    empty = dict.fromkeys(("title", "phone", "skype", "status_text", "status_emoji"), "")
    names = {
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
    }
    profile: Answer = {**names, **empty, "avatar_hash": "g0000000000", "fields": {}, "team": TEAM}
    if user.email and "users:read.email" in call.caller.scopes:
        profile["email"] = user.email
    if user.kind == "bot":
        profile["bot_id"] = BOT_ID
    if user.guest and user.expires:
        profile["guest_expiration_ts"] = seconds(user.expires)
    return profile


def channel_view(call: Call, channel: Channel, *, counted: bool = True) -> Answer:
    """A channel; `counted` adds how many are in it and whether the caller is."""
    unset = {"value": "", "creator": "", "last_set": 0}
    view: Answer = {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.private,
        "is_group": channel.private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.private,
        "is_archived": channel.archived,
        "is_general": channel.name == "general",
        "is_shared": False,
        "is_org_shared": False,
        "is_ext_shared": False,
        "is_pending_ext_shared": False,
        "pending_shared": [],
        "previous_names": [],
        "created": seconds(channel.created),
        "creator": channel.creator,
        "unlinked": 0,
        "topic": unset,
        "purpose": unset,
    }
    present = {"is_member": call.caller.user.id in channel.members, "num_members": len(channel.members)}
    return view | present if counted else view


def usergroup_view(call: Call, group: UserGroup, *, users: bool) -> Answer:
    """A user group; `users` adds the ids of everybody in it."""
    view: Answer = {
        "id": group.id,
        "team_id": TEAM,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "description": group.description,
        "handle": group.handle,
        "is_external": False,
        "date_create": seconds(group.created),
        "date_update": seconds(group.updated),
        "date_delete": seconds(group.disabled),
        "auto_type": None,
        "auto_provision": False,
        "enterprise_subteam_id": "",
        "created_by": OWNER_USER,
        "updated_by": group.updated_by,
        "deleted_by": group.updated_by if group.disabled else None,
        "prefs": {"channels": group.channels, "groups": []},
    }
    counted = {"user_count": len(group.users)} if call.flag("include_count") else {}
    return view | counted | ({"users": list(group.users)} if users else {})


def find_user(call: Call, name: str = "user", error: str = "user_not_found") -> User:
    """The user that an argument names by id. Raises SlackError."""
    if (user := call.state.users.get(call.text(name))) is None:
        raise SlackError(error)
    return user


def visible(call: Call, channels: Iterable[Channel]) -> Sequence[Channel]:
    """What the caller sees: channels they are in, and the public ones unless they're a guest."""
    user = call.caller.user
    return [c for c in channels if user.id in c.members or not (c.private or user.guest)]


def find_channel(call: Call) -> Channel:
    """The channel that is named by id, if the caller sees it. Raises SlackError `channel_not_found`."""
    channel = call.state.channels.get(call.text("channel"))
    if channel is None or not visible(call, [channel]):
        raise SlackError("channel_not_found")
    return channel
