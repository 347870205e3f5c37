"""Reads who is in Jira's groups and project roles, on Cloud by accountId, on Data Center by user key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from types import MappingProxyType

from pydantic import SecretStr

from onboard.connectors.base import Health, Scope
from onboard.connectors.http import MALFORMED, Rejected, Unreachable, documented, malformed
from onboard.connectors.jira_client import Deployment, JiraClient, User
from onboard.connectors.jira_health import health
from onboard.errors import SystemFailed
from onboard.model import Account, AccountState, Holding, Kind, Observation, Reading, Resource

#: The user keys that Data Center makes. Older keys are former usernames, and are nobody's name to look up by.
_USER_KEY = re.compile(r"JIRAUSER\d+")
#: accountIds per request: few enough for a URL.
_BULK = 50
_SEARCH_PAGE = 1000


class JiraReader:
    """Reads one Jira site with a token that cannot write (REST API 3 on Cloud, 2 on Data Center).

    `group:NAME` has the level member. `project:KEY` has one level per project role, of the users who are in a role
    themselves: what a group in a role gives is held through the group. A role's user whose account is gone from Data
    Center has the account `username:NAME`.
    """

    kind = Kind.JIRA

    def __init__(
        self,
        system: str,
        base_url: str,
        email: str,
        token: SecretStr | str,
        deployment: Deployment,
        clock: Callable[[], datetime],
    ) -> None:
        self.system = system
        self._client = JiraClient(system, base_url, email, token, deployment, clock)

    def read(self, scope: Scope) -> Observation:
        """Read the groups and projects in scope that are this system's; with None all that the token can see.

        Where groups or projects can't be listed completely, the whole observation is unknown.
        """
        at = self._client.clock()
        sweep = _Sweep(self.system, self._client)
        try:
            mine = sweep.everything() if scope.resources is None else self._mine(scope.resources)
            readings = {resource: sweep.reading(resource) for resource in mine}
            accounts = sweep.accounts(readings.values())
        except SystemFailed as failure:
            return Observation(self.system, at, unknown=failure.reason)
        except MALFORMED:
            return Observation(self.system, at, unknown=malformed("its lists"))
        return Observation(
            self.system, at, MappingProxyType(readings), MappingProxyType(accounts), complete=scope.resources is None
        )

    def find_account(self, handle: str) -> Account | None:
        """The user who answers exactly to an accountId (Cloud), a username (Data Center), or an e-mail address.

        Cloud hides most addresses, and finds users by hidden ones without saying why: then it can't be told, and
        SystemFailed says to enter the accountId. A display name is never compared.
        """
        with documented(self.system, "look up a user"):
            found = {user.id: user for user in self._matching(handle)}
            if len(found) > 1:
                raise SystemFailed(self.system, f"{len(found)} users answer to that handle. Enter the {self._precise}.")
            if not found:
                self._check_browsing()
        return next((_account(self.system, user) for user in found.values()), None)

    def health(self) -> Health:
        """Whether Jira answers, as whom, and whether the token can read what it must and no more."""
        return health(self._client, writes=False)

    def _mine(self, resources: Collection[Resource]) -> list[Resource]:
        return sorted(resource for resource in resources if resource.system == self.system)

    @property
    def _precise(self) -> str:
        return "accountId" if self._client.cloud else "username"

    def _matching(self, handle: str) -> Iterable[User]:
        """Whoever has exactly that id, username or e-mail address, upper and lower case being the same in names."""
        if self._client.cloud:
            if "@" not in handle:
                return filter(None, [self._client.by_id(handle)])
            return self._by_email(handle, {"query": handle})
        by_key = self._client.by_id(handle) if _USER_KEY.fullmatch(handle) else None
        by_name = self._client.user({"username": handle})
        found = [user for user in (by_key, by_name) if user]
        if "@" not in handle:
            return found
        return [*found, *self._by_email(handle, {"username": handle, "includeInactive": "true"})]

    def _by_email(self, address: str, query: dict[str, str]) -> list[User]:
        """Users who show that address. Raises SystemFailed where none does and one of those found shows none."""
        found = self._search(query)
        exact = [user for user in found if (user.email or "").lower() == address.lower()]
        if not exact and any(user.email is None for user in found):
            reason = f"a user may have that address, and Jira hides it. Enter the {self._precise} instead."
            raise SystemFailed(self.system, reason)
        return exact

    def _search(self, query: dict[str, str]) -> list[User]:
        """All users that a search finds: Jira gives a bare list, and a short page is the last."""
        users: list[User] = []
        while True:
            page = {**query, "startAt": len(users), "maxResults": _SEARCH_PAGE}
            bodies = self._client.read("search for a user", "user/search", page).body
            users += map(self._client.parsed, bodies)
            if len(bodies) < _SEARCH_PAGE:
                return users

    def _check_browsing(self) -> None:
        """Without this permission Jira answers a search with nobody: that isn't absence."""
        if not self._client.may(["USER_PICKER"])["USER_PICKER"]:
            raise SystemFailed(self.system, "the token may not browse users. Give it Browse users and groups.")


class _Sweep:
    """One reading: remembers whom it met, so that nobody is looked up twice. Lives for one call of `read`."""

    def __init__(self, system: str, client: JiraClient) -> None:
        self._system = system
        self._client = client
        self._users: dict[str, User | None] = {}

    def everything(self) -> list[Resource]:
        """All groups and projects. Asks who it is first: to nobody Jira lists nothing, without an error."""
        self._client.read("ask who the token belongs to", "myself")
        return [
            *(Resource(self._system, "group", name) for name in self._client.groups()),
            *(Resource(self._system, "project", key) for key in self._client.projects()),
        ]

    def reading(self, resource: Resource) -> Reading:
        """One resource; unknown, saying why, where any of its lists fails. Raises where nothing else would answer."""
        try:
            self._client.check_resource(resource)
            holdings = self._group(resource) if resource.type == "group" else self._project(resource)
        except (Unreachable, Rejected):
            raise
        except SystemFailed as failure:
            return Reading(resource, unknown=failure.reason)
        except MALFORMED:
            return Reading(resource, unknown=malformed(str(resource)))
        return Reading(resource, tuple(sorted(set(holdings), key=lambda h: (h.account, h.level))))

    def accounts(self, readings: Iterable[Reading]) -> dict[str, Account]:
        """Whoever was met, by id. Whose state can't be read is left out."""
        met = sorted({holding.account for reading in readings for holding in reading.holdings})
        try:
            self._meet(met if self._client.cloud else [])
        except (Unreachable, Rejected):
            raise
        except SystemFailed:
            return self._known(met)
        return self._known(met)

    def _group(self, resource: Resource) -> list[Holding]:
        query = self._client.group(resource.name) | {"includeInactiveUsers": "true"}
        members = self._client.pages(f"list the members of group {resource.name}", "group/member", query)
        users = [self._client.parsed(member) for member in members]
        self._users |= {user.name: user for user in users}
        return [Holding(user.id, user.shown, resource, "member") for user in users]

    def _project(self, resource: Resource) -> list[Holding]:
        """Role by role. On Data Center actors are told by username only, and each is looked up once for the key."""
        holdings = []
        for role, path in self._client.roles(resource.name).items():
            for name, shown in self._client.actors(resource.name, role, path).items():
                account = name if self._client.cloud else self._key_of(name)
                holdings.append(Holding(account, shown, resource, role))
        return holdings

    def _key_of(self, username: str) -> str:
        if username not in self._users:
            self._users[username] = self._client.user({"username": username})
        user = self._users[username]
        return user.id if user else f"username:{username}"

    def _meet(self, accounts: Sequence[str]) -> None:
        """Cloud: look up in bulk whoever was met in roles only."""
        new = [account for account in accounts if account not in self._users]
        for start in range(0, len(new), _BULK):
            some = new[start : start + _BULK]
            bodies = self._client.pages("look up users", "user/bulk", {"accountId": some})
            self._users |= {body["accountId"]: self._client.parsed(body) for body in bodies}

    def _known(self, met: Iterable[str]) -> dict[str, Account]:
        by_id = {user.id: user for user in self._users.values() if user}
        return {account: _account(self._system, by_id[account]) for account in met if account in by_id}


def _account(system: str, user: User) -> Account:
    state = AccountState.ACTIVE if user.active else AccountState.SUSPENDED
    return Account(id="", system=system, external_id=user.id, handle=user.shown, state=state)
