"""Slack's routes beside channels and user groups: sessions, Slack Connect invitations, and the workspace itself.

Rests on admin.users.session.list (Enterprise, scope admin.users:read), conversations.listConnectInvites (scope
conversations.connect:manage, about once a minute) and the flags of users.info.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from onboard.connectors.slack.api import Slack, SlackRefused, account_of
from onboard.errors import SystemFailed
from onboard.model import Account, HoldingState

#: Refusals that say that the token, the plan or the tier can't do it, and not that something went wrong.
_LACKING = frozenset(
    {
        "access_denied",
        "feature_not_enabled",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_an_admin",
        "not_an_enterprise",
        "plan_upgrade_required",
        "team_not_found",
        "unknown_method",
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """A device on which a user is logged in."""

    id: str
    team: str

    @property
    def name(self) -> str:
        """A short hash of its id, to name it by."""
        return hashlib.sha256(self.id.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, repr=False)
class Invitation:
    """An invitation to share a channel that not everybody has approved yet; to an address or to a user elsewhere."""

    id: str
    channel: str
    email: str
    user: str
    accepted: bool
    expires: datetime | None

    def to(self, account: str | None, emails: set[str]) -> bool:
        """Whether it was sent to this user id or to one of these addresses, given in lower case."""
        return (bool(self.user) and self.user == account) or self.email.lower() in emails

    def state(self, now: datetime) -> HoldingState:
        """Invited, or expired."""
        return HoldingState.EXPIRED if self.expires and self.expires <= now else HoldingState.INVITED

    @property
    def via(self) -> str:
        """Direct once it was accepted: then it can be declined. Slack's API withdraws no other."""
        return "direct" if self.accepted else "Slack Connect, not accepted yet"


@dataclass(frozen=True, slots=True)
class Profile:
    """A user as users.info tells it: the account, its address where shown, and when a guest's time is up."""

    account: Account
    email: str
    guest_until: datetime | None


def lacking(failure: SystemFailed) -> bool:
    """Whether a failure says that the token or the plan doesn't have this at all."""
    return isinstance(failure, SlackRefused) and failure.code in _LACKING


def team_of(slack: Slack) -> tuple[str, str]:
    """The workspace's id and name (auth.test)."""
    told = slack.find("ask whose token it is", lambda c: c.auth_test())
    return str(told["team_id"]), str(told["team"])


def profile(slack: Slack, user: str) -> Profile | None:
    """A user (users.info); None where there is none."""
    try:
        told = slack.find("look up a user", lambda c: c.users_info(user=user))["user"]
    except SlackRefused as refused:
        if refused.code == "user_not_found":
            return None
        raise
    more: Mapping[str, Any] = told.get("profile") or {}
    until = more.get("guest_expiration_ts") or None
    return Profile(account_of(slack.system, told), str(more.get("email") or ""), _moment(until))


def sessions(slack: Slack, team: str, user: str) -> Iterator[Session]:
    """A user's sessions (admin.users.session.list)."""
    pages = slack.pages(
        "list a user's sessions",
        "active_sessions",
        lambda c, at, size: c.admin_users_session_list(user_id=user, team_id=team, cursor=at, limit=size),
    )
    yield from (Session(str(told["session_id"]), str(told["team_id"])) for told in pages)


def invitations(slack: Slack) -> Iterator[Invitation]:
    """Every pending invitation to share a channel, sent by us (conversations.listConnectInvites)."""
    pages = slack.pages(
        "list Slack Connect invitations",
        "invites",
        lambda c, at, size: c.conversations_listConnectInvites(cursor=at, count=size),
    )
    for told in pages:
        if told.get("direction") != "incoming":
            yield _invitation(told)


def _invitation(told: Mapping[str, Any]) -> Invitation:
    invite: Mapping[str, Any] = told["invite"]
    return Invitation(
        id=str(invite["id"]),
        channel=str((told.get("channel") or {}).get("name") or ""),
        email=str(invite.get("recipient_email") or ""),
        user=str(invite.get("recipient_user_id") or ""),
        accepted=bool(told.get("acceptances")),
        expires=_moment(invite.get("date_invalid")),
    )


def _moment(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(float(str(seconds)), UTC) if seconds else None
