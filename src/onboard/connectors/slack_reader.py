"""Reading Slack: who is in which channel and user group, and what accounts there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from pydantic import SecretStr

from onboard.connectors.base import Health, Scope
from onboard.connectors.http import Unreachable
from onboard.connectors.slack_api import (
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
from onboard.connectors.slack_health import reader_health
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountState, Holding, HoldingState, Kind, Observation, Reading, Resource

_USER_ID = re.compile(r"[UW][A-Z0-9]{2,}")
_ABSENT = frozenset({"user_not_found", "users_not_found"})


class SlackReader:
    """Reads `channel:NAME` and `usergroup:HANDLE` of one workspace, with a token that cannot write.

    `base_url` is the Web API's address, such as https://slack.com/api/. A reading is never complete: private channels
    that the token's bot isn't in can't be listed.
    """

    kind = Kind.SLACK

    def __init__(
        self, system: str, base_url: str, token: SecretStr, clock: Clock, *, page_size: int = PAGE_SIZE
    ) -> None:
        self.system = system
        self._clock = clock
        self._slack = Slack(system, base_url, token, clock, retry=True, page_size=page_size)

    def read(self, scope: Scope) -> Observation:
        """As base.Reader says. Without a scope: every channel that is visible, and every user group.

        Bots hold nothing here, deactivated users neither; a disabled user group has no members, whatever it lists.
        """
        at = self._clock()
        try:
            visit = _Visit(self._slack)
            readings = dict(visit.of(visit.everything() if scope.resources is None else sorted(scope.resources)))
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

    def health(self) -> Health:
        """As base.Reader says; the rights are the scopes that Slack lists in its answer to auth.test."""
        return reader_health(self._slack)


def _look_up(system: str, handle: str) -> Ask:
    if _USER_ID.fullmatch(handle):
        return lambda c: c.users_info(user=handle)
    if "@" in handle:
        return lambda c: c.users_lookupByEmail(email=handle)
    raise SystemRefused(system, "a person is found by a Slack user id, like U012AB3CD, or by an e-mail address.")


class _Visit:
    """One reading: users, channels and user groups are listed at most once each."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack
        users = slack.users()
        self._bots = {user for user, told in users.items() if is_bot(told)}
        self.accounts = {user: account_of(slack.system, told) for user, told in users.items() if user not in self._bots}

    @cached_property
    def _channels(self) -> dict[str, Channel]:
        return self._slack.channels()

    @cached_property
    def _groups(self) -> dict[str, UserGroup]:
        return self._slack.user_groups()

    def everything(self) -> list[Resource]:
        """Every channel that is visible, and every user group. Raises SystemFailed where they can't be listed."""
        system = self._slack.system
        channels = [Resource(system, "channel", name) for name in self._channels]
        return channels + [Resource(system, "usergroup", handle) for handle in self._groups]

    def of(self, resources: Iterable[Resource]) -> Iterator[tuple[Resource, Reading]]:
        """A reading of each resource. Raises Unreachable, because then nothing else will answer either."""
        for resource in resources:
            try:
                users = self._users(resource)
            except Unreachable:
                raise
            except SystemFailed as failure:
                yield resource, Reading(resource, unknown=failure.reason)
            else:
                yield resource, Reading(resource, tuple(self._holdings(resource, users)))

    def _users(self, resource: Resource) -> Iterable[str]:
        if resource.type == "channel":
            if channel := self._channels.get(resource.name):
                return self._slack.channel_members(channel)
            raise SystemRefused(resource.system, invisible(resource.name))
        if resource.type == "usergroup":
            if group := self._groups.get(resource.name):
                return group.members
            raise SystemRefused(resource.system, f"there is no user group @{resource.name}. Check the handle.")
        raise SystemRefused(
            resource.system, f"Slack has no {resource.type!r}. Expected channel:NAME or usergroup:HANDLE."
        )

    def _holdings(self, resource: Resource, users: Iterable[str]) -> Iterator[Holding]:
        for user in users:
            account = self.accounts.get(user)  # none for people of other workspaces, in a shared channel
            if user in self._bots or (account and account.state is AccountState.GONE):
                continue
            invited = account is not None and account.state is AccountState.INVITED
            state = HoldingState.INVITED if invited else HoldingState.ACTIVE
            yield Holding(user, account.handle if account else user, resource, "member", state)
