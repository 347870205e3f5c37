"""Reading Slack: who is in which channel and user group, whom channels are shared with, what accounts there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from onboard.connectors.base import Capability, Health, Residue, Scope
from onboard.connectors.http import Rejected, Unreachable, side_by_side
from onboard.connectors.pacing import UNPACED, Pace
from onboard.connectors.slack.api import (
    PAGE_SIZE,
    Ask,
    Channel,
    Clock,
    Slack,
    SlackRefused,
    UserGroup,
    account_of,
    invisible,
    is_bot,
)
from onboard.connectors.slack.health import capabilities, reader_health
from onboard.connectors.slack.residue import residue
from onboard.connectors.slack.routes import Invitation, invitations, lacking, team_of
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountState, Holding, HoldingState, Kind, Observation, Reading, Resource

_USER_ID = re.compile(r"[UW][A-Z0-9]{2,}")
_ABSENT = frozenset({"user_not_found", "users_not_found"})
#: Channels read at once: conversations.members may be asked 100 times a minute.
_WORKERS = 4
#: Stands for every Slack Connect invitation where they can't be listed.
_ANY = "(any)"


class SlackReader:
    """Reads `channel:NAME`, `usergroup:HANDLE`, `connect-invitation:ID` and `workspace:NAME` of one workspace, with a
    token that cannot write.

    `base_url` is the Web API's address, such as https://slack.com/api/. A reading is never complete: private channels
    that the token's bot isn't in can't be listed. An invitation to share a channel is held by the address or the user
    elsewhere that it was sent to. With `admin_token`, an administrator's that cannot write either, sessions are read.
    """

    kind = Kind.SLACK

    def __init__(
        self,
        system: str,
        base_url: str,
        token: SecretStr,
        clock: Clock,
        pace: Pace = UNPACED,
        *,
        admin_token: SecretStr | None = None,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self.system = system
        self._clock = clock
        self._slack = Slack(system, base_url, token, clock, retry=True, page_size=page_size, pace=pace)
        self._admin = Slack(system, base_url, admin_token, clock, retry=True, pace=pace) if admin_token else None

    def read(self, scope: Scope) -> Observation:
        """As base.Reader says. Without a scope: every channel that is visible, every user group, and, where the token
        may list them, invitations to share a channel; who is in the workspace is told only when asked for.

        Bots hold nothing here, deactivated users neither; a disabled user group has no members, whatever it lists. One
        call for each page of users, of channels and of each channel's members, one for the user groups.
        """
        at = self._clock()
        try:
            visit = _Visit(self._slack, at)
            readings = visit.everything() if scope.resources is None else visit.of(sorted(scope.resources))
        except SystemFailed as failure:
            return Observation(self.system, at, unknown=failure.reason)
        return Observation(self.system, at, readings, visit.accounts)

    def find_account(self, handle: str) -> Account | None:
        """The user with this id (users.info) or e-mail address (users.lookupByEmail); None where there is none.

        An address finds active users only. SystemRefused for what is neither, SystemFailed where it can't be told.
        """
        try:
            told = self._slack.find("look up a user", _look_up(self.system, handle))
        except SlackRefused as refused:
            if refused.code in _ABSENT:
                return None
            raise
        return account_of(self.system, told["user"])

    def residue(self, account: Account) -> Residue:
        """What the account still holds, read again by every route: the account itself (with a guest's last day),
        channels, user groups, sessions, Slack Connect invitations. Raises nothing for what Slack does.
        """
        return residue(self._slack, self._admin or self._slack, account, self._clock(), self.find_account)

    def capabilities(self) -> tuple[Capability, ...]:
        """Which routes the token and the plan let be read, each tried."""
        return capabilities(self._slack, self._admin or self._slack)

    def health(self) -> Health:
        """As base.Reader says; the rights are the scopes that Slack lists in its answer to auth.test."""
        return reader_health(self._slack, self._admin)


def _look_up(system: str, handle: str) -> Ask:
    if _USER_ID.fullmatch(handle):
        return lambda c: c.users_info(user=handle)
    if "@" in handle:
        return lambda c: c.users_lookupByEmail(email=handle)
    raise SystemRefused(system, "a person is found by a Slack user id, like U012AB3CD, or by an e-mail address.")


class _Visit:
    """One reading: users, channels and user groups are listed at most once each."""

    def __init__(self, slack: Slack, now: datetime) -> None:
        self._slack = slack
        self._now = now
        users = slack.users()
        self._bots = {user for user, told in users.items() if is_bot(told)}
        self.accounts = {user: account_of(slack.system, told) for user, told in users.items() if user not in self._bots}
        self._asks: Mapping[str, Callable[[], Mapping[str, Any]]] = {
            "channel": slack.channels,
            "usergroup": slack.user_groups,
            "connect-invitation": lambda: {invite.id: invite for invite in invitations(slack)},
        }
        self._lists: dict[str, Mapping[str, Any] | SystemFailed] = {}

    def everything(self) -> dict[Resource, Reading]:
        """Every channel that is visible, every user group, every invitation to share a channel.

        What can't be listed is one reading, of `(any)`; invitations that the token may not list are left out, which
        `capabilities` says.
        """
        system = self._slack.system
        readings: dict[Resource, Reading] = {}
        for type_ in ("channel", "usergroup", "connect-invitation"):
            try:
                readings |= self.of([Resource(system, type_, name) for name in self._listed(type_)])
            except (Unreachable, Rejected):
                raise
            except SystemFailed as failure:
                if type_ != "connect-invitation" or not lacking(failure):
                    anything = Resource(system, type_, _ANY)
                    readings[anything] = Reading(anything, unknown=failure.reason)
        return readings

    def of(self, resources: Iterable[Resource]) -> dict[Resource, Reading]:
        """A reading of each resource. Raises Unreachable and Rejected: then nothing else will answer either."""
        chosen = list(resources)
        for type_ in {resource.type for resource in chosen} & self._asks.keys():
            self._list(type_)
        return dict(zip(chosen, side_by_side(self._reading, chosen, _WORKERS), strict=True))

    def _list(self, type_: str) -> Mapping[str, Any] | SystemFailed:
        """What there is of a type by name, or why it can't be listed; asked for once."""
        if type_ not in self._lists:
            try:
                self._lists[type_] = self._asks[type_]()
            except (Unreachable, Rejected):
                raise
            except SystemFailed as failure:
                self._lists[type_] = failure
        return self._lists[type_]

    def _listed(self, type_: str) -> Mapping[str, Any]:
        """The same; raises SystemFailed where it can't be listed."""
        found = self._list(type_)
        if isinstance(found, SystemFailed):
            raise found
        return found

    def _reading(self, resource: Resource) -> Reading:
        routes = {
            "channel": self._in_channel,
            "usergroup": self._in_group,
            "workspace": self._in_workspace,
            "connect-invitation": self._to_share,
        }
        try:
            return Reading(resource, tuple(routes.get(resource.type, _no_such_type)(resource)))
        except (Unreachable, Rejected):
            raise
        except SystemFailed as failure:
            return Reading(resource, unknown=failure.reason)

    def _in_channel(self, resource: Resource) -> Iterator[Holding]:
        channel: Channel | None = self._listed("channel").get(resource.name)
        if channel is None:
            raise SystemRefused(resource.system, invisible(resource.name))
        return self._holdings(resource, self._slack.channel_members(channel))

    def _in_group(self, resource: Resource) -> Iterator[Holding]:
        group: UserGroup | None = self._listed("usergroup").get(resource.name)
        if group is None:
            raise SystemRefused(resource.system, f"there is no user group @{resource.name}. Check the handle.")
        return self._holdings(resource, group.members)

    def _in_workspace(self, resource: Resource) -> Iterator[Holding]:
        """Every account that isn't deactivated; its level is the kind of account."""
        _, name = team_of(self._slack)
        if resource.name != name:
            raise SystemRefused(resource.system, f"the token belongs to the workspace {name}, not to {resource.name}.")
        return (replace(h, level=str(self.accounts[h.account].kind)) for h in self._holdings(resource, self.accounts))

    def _to_share(self, resource: Resource) -> Iterator[Holding]:
        invite: Invitation | None = self._listed("connect-invitation").get(resource.name)
        if invite:
            known = {a.handle.lower(): a for a in self.accounts.values()}.get(invite.email.lower())
            account = invite.user or (known.external_id if known else "") or f"email:{invite.email}"
            state, handle = invite.state(self._now), invite.email or invite.user
            yield Holding(account, handle, resource, "invited", state, invite.via, invite.id)

    def _holdings(self, resource: Resource, users: Iterable[str]) -> Iterator[Holding]:
        for user in users:
            account = self.accounts.get(user)  # none for people of other workspaces, in a shared channel
            if user in self._bots or (account and account.state is AccountState.GONE):
                continue
            invited = account is not None and account.state is AccountState.INVITED
            state = HoldingState.INVITED if invited else HoldingState.ACTIVE
            yield Holding(user, account.handle if account else user, resource, "member", state)


def _no_such_type(resource: Resource) -> Iterator[Holding]:
    raise SystemRefused(
        resource.system,
        f"Slack has no {resource.type!r}. Expected channel:NAME, usergroup:HANDLE, workspace:NAME or "
        "connect-invitation:ID.",
    )
