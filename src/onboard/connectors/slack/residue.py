"""What an account still holds in Slack, read again by every route."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import cached_property

from onboard.connectors.base import Residue, Unverifiable
from onboard.connectors.levers import gather
from onboard.connectors.slack.api import Slack
from onboard.connectors.slack.routes import Profile, invitations, lacking, profile, sessions, team_of
from onboard.errors import SystemFailed
from onboard.model import Account, AccountState, Holding, HoldingState, Resource

_NO_SESSIONS = (
    "needs an Enterprise plan and a token with admin.users:read; how long they last is the workspace's setting"
)
_NO_INVITATIONS = "needs a token with conversations.connect:manage; each lapses 14 days after it was sent"


#: Who answers to a handle now; raises SystemFailed where it can't be told.
Find = Callable[[str], Account | None]


def residue(slack: Slack, admin: Slack, account: Account, now: datetime, find: Find) -> Residue:
    """As base.Reader says; sessions by `admin`. What the tokens or the plan can't read at all isn't verifiable."""
    search = _Search(slack, admin, account, now, find)
    routes = {
        "account": search.workspace,
        "channels": search.channels,
        "user groups": search.user_groups,
        "sessions": search.able(search.sessions, "sessions", _NO_SESSIONS),
        "Slack Connect invitations": search.able(search.invitations, "Slack Connect invitations", _NO_INVITATIONS),
    }
    found = gather(now, routes, search.unverifiable)
    unable = {each.what for each in search.unable}
    return Residue(
        found.at,
        tuple(route for route in found.routes if route not in unable),
        found.remaining,
        (*found.unverifiable, *search.unable),
        found.unknown,
    )


class _Search:
    """One account's routes; what turned out not to be readable at all is collected in `unable`."""

    def __init__(self, slack: Slack, admin: Slack, account: Account, now: datetime, find: Find) -> None:
        self._find = find
        self._slack = slack
        self._admin = admin
        self._account = account
        self._now = now
        self.unable: list[Unverifiable] = []

    def able(self, route: Callable[[], Iterable[Holding]], what: str, why: str) -> Callable[[], Iterable[Holding]]:
        """The route, where the token and the plan have it."""

        def told() -> Iterator[Holding]:
            try:
                yield from route()
            except SystemFailed as failure:
                if not lacking(failure):
                    raise
                self.unable.append(Unverifiable(what, why))

        return told

    def workspace(self) -> Iterator[Holding]:
        """The account itself, unless it is deactivated; a guest's with the day on which its time is up."""
        found = self._found
        if found and found.account.state is not AccountState.GONE:
            until = f" until {found.guest_until:%Y-%m-%d}" if found.guest_until else ""
            state = HoldingState.INVITED if found.account.state is AccountState.INVITED else HoldingState.ACTIVE
            yield self._holding("workspace", self._team[1], f"{found.account.kind}{until}", state)

    def channels(self) -> Iterator[Holding]:
        """The channels that the token sees the user in (users.conversations)."""
        for channel in self._slack.channels_of(self._user) if self._found else ():
            yield self._holding("channel", channel.name, "member")

    def user_groups(self) -> Iterator[Holding]:
        """The enabled user groups that the user is in."""
        for group in self._slack.user_groups().values():
            if self._user in group.members:
                yield self._holding("usergroup", group.handle, "member")

    def sessions(self) -> Iterator[Holding]:
        """The devices on which the user is logged in."""
        for session in sessions(self._admin, self._team[0], self._user) if self._found else ():
            yield self._holding("session", session.name, "signed in")

    def invitations(self) -> Iterator[Holding]:
        """Invitations to share a channel, sent to the user's id or address."""
        emails = {text.lower() for text in (self._email, self._account.handle) if "@" in text}
        for invite in invitations(self._slack):
            if invite.to(self._user, emails):
                state = invite.state(self._now)
                yield self._holding("connect-invitation", invite.id, "invited", state, invite.via, invite.id)

    def unverifiable(self) -> Iterator[Unverifiable]:
        """What the API shows to nobody but the user, or not to this token."""
        if self._found and self._found.account.state is not AccountState.GONE:
            yield Unverifiable("private channels without our bot", "can't be seen by a token whose bot isn't in them")
            yield Unverifiable("user tokens", "aren't listed for anybody; they end when the account is deactivated")
        yield Unverifiable("apps and webhooks that the person installed", "work on without them: look at the app list")
        yield Unverifiable("direct messages by Slack Connect", "aren't listed by the API")

    @cached_property
    def _found(self) -> Profile | None:
        return profile(self._slack, self._user) if self._user else None

    @cached_property
    def _team(self) -> tuple[str, str]:
        return team_of(self._slack)

    @cached_property
    def _user(self) -> str:
        """The user id; of an account that isn't bound, the one that answers to its address now; empty for none."""
        if self._account.external_id is not None or "@" not in self._account.handle:
            return self._account.external_id or ""
        found = self._find(self._account.handle)
        return (found.external_id or "") if found else ""

    @property
    def _email(self) -> str:
        return self._found.email if self._found else ""

    def _holding(
        self,
        type_: str,
        name: str,
        level: str,
        state: HoldingState = HoldingState.ACTIVE,
        via: str = "direct",
        invitation: str | None = None,
    ) -> Holding:
        resource = Resource(self._slack.system, type_, name)
        handle = self._account.handle
        return Holding(self._user or f"email:{handle}", handle, resource, level, state, via, invitation)
