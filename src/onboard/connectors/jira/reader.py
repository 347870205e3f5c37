"""Reads who is in Jira's groups, project roles and permission schemes, by accountId, on Data Center by user key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from types import MappingProxyType

from pydantic import SecretStr

from onboard.connectors.base import Capability, Health, Residue, Scope
from onboard.connectors.http import MALFORMED, Rejected, Unreachable, documented, malformed, side_by_side
from onboard.connectors.jira.client import SEARCH_PAGE, Deployment, JiraClient, User
from onboard.connectors.jira.health import capabilities, health
from onboard.connectors.jira.residue import residue
from onboard.connectors.jira.schemes import Entry, entries
from onboard.connectors.pacing import UNPACED, Pace
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, AccountState, Holding, Kind, Observation, Reading, Resource

#: The user keys that Data Center makes. Older keys are former usernames, and are nobody's name to look up by.
_USER_KEY = re.compile(r"JIRAUSER\d+")
#: accountIds per request: few enough for a URL.
_BULK = 50
#: Stands for everything of a type that couldn't be listed.
ANY = "(any)"


class JiraReader:
    """Reads one Jira site with a token that cannot write (REST API 3 on Cloud, 2 on Data Center).

    `group:NAME` has the level member; `project:KEY` one level per project role; `permission-scheme:NAME` one per
    permission that it gives to users or groups by name. A role's user whose account is gone from Data
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
        pace: Pace = UNPACED,
    ) -> None:
        self.system = system
        self._client = JiraClient(system, base_url, email, token, deployment, clock, pace)

    def read(self, scope: Scope) -> Observation:
        """Read what is in scope and this system's; with None all groups, projects and permission schemes that the token
        can see, and on Cloud all users.

        What a group gives in a role or a scheme is told for groups in the same scope. One call for each 50 members of
        a group, one for each project and each of its roles, one for all schemes, one for each 1000 users.
        """
        at = self._client.clock()
        sweep = _Sweep(self.system, self._client)
        try:
            readings = sweep.everything() if scope.resources is None else sweep.of(self._mine(scope.resources))
            accounts = sweep.accounts(readings.values())
        except SystemFailed as failure:
            return Observation(self.system, at, unknown=failure.reason)
        except MALFORMED:
            return Observation(self.system, at, unknown=malformed("its lists"))
        complete = scope.resources is None and all(resource.name != ANY for resource in readings)
        return Observation(self.system, at, MappingProxyType(readings), MappingProxyType(accounts), complete=complete)

    def residue(self, account: Account) -> Residue:
        """What the account still holds, read again by every route: the account itself, groups, project roles and
        permission schemes, by itself or through groups. Raises nothing for what Jira does.
        """
        return residue(self._client, account, self.find_account)

    def capabilities(self) -> tuple[Capability, ...]:
        """What this Jira and this token can do, each tried."""
        return capabilities(self._client)

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
            page = {**query, "startAt": len(users), "maxResults": SEARCH_PAGE}
            bodies = self._client.read("search for a user", "user/search", page).body
            users += map(self._client.parsed, bodies)
            if len(bodies) < SEARCH_PAGE:
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
        self._queries: dict[str, dict[str, str]] = {}
        self._members: dict[str, list[User]] = {}
        self._schemes: dict[str, list[Entry]] | SystemFailed | None = None

    def everything(self) -> dict[Resource, Reading]:
        """All groups, projects and permission schemes. Asks who it is first: to nobody Jira lists nothing, without an
        error. A list that fails is one reading, of `(any)`.
        """
        self._client.read("ask who the token belongs to", "myself")
        readings: dict[Resource, Reading] = {}
        asks = {"group": self._all_groups, "project": self._client.projects, "permission-scheme": self._entries}
        listed = dict(zip(asks, side_by_side(lambda type_: self._listed(asks[type_]), asks), strict=True))
        resources: list[Resource] = []
        for type_, found in listed.items():
            if isinstance(found, str):
                anything = Resource(self._system, type_, ANY)
                readings[anything] = Reading(anything, unknown=found)
            else:
                resources += [Resource(self._system, type_, name) for name in found]
        if self._client.cloud:
            self._meet_everybody()
        return readings | self.of(resources)

    def of(self, resources: Iterable[Resource]) -> dict[Resource, Reading]:
        """A reading of each, groups first: their members hold through them what the others give to groups."""
        chosen = list(resources)
        if any(resource.type == "permission-scheme" for resource in chosen) and self._schemes is None:
            self._listed(self._entries)
        groups = [resource for resource in chosen if resource.type == "group"]
        others = [resource for resource in chosen if resource.type != "group"]
        found = {**self._read(groups), **self._read(others)}
        return {resource: found[resource] for resource in chosen}

    def _read(self, resources: Sequence[Resource]) -> dict[Resource, Reading]:
        return dict(zip(resources, side_by_side(self._reading, resources), strict=True))

    def _reading(self, resource: Resource) -> Reading:
        """What one resource's holdings are, or why they are unknown. Raises where no other can be read either."""
        routes = {"group": self._group, "project": self._project, "permission-scheme": self._scheme}
        try:
            self._client.check_resource(resource)
            holdings = list(routes[resource.type](resource))
        except (Unreachable, Rejected):
            raise
        except SystemFailed as failure:
            return Reading(resource, unknown=failure.reason)
        except MALFORMED:
            return Reading(resource, unknown=malformed(str(resource)))
        return Reading(resource, tuple(sorted(set(holdings), key=lambda h: (h.account, h.level, h.via))))

    def accounts(self, readings: Iterable[Reading]) -> dict[str, Account]:
        """Whoever was met, by id. Whose state can't be read is left out."""
        met = {holding.account for reading in readings for holding in reading.holdings}
        try:
            self._meet(sorted(met) if self._client.cloud else [])
        except (Unreachable, Rejected):
            raise
        except SystemFailed:
            return self._known()
        return self._known()

    def _listed(self, ask: Callable[[], Iterable[str]]) -> list[str] | str:
        """The names of all there is of a type, or why they can't be listed."""
        try:
            return list(ask())
        except (Unreachable, Rejected):
            raise
        except SystemFailed as failure:
            return failure.reason
        except MALFORMED:
            return malformed("its lists")

    def _all_groups(self) -> Iterable[str]:
        self._queries = self._client.groups()
        return self._queries

    def _entries(self) -> Iterable[str]:
        try:
            self._schemes = entries(self._client)
        except SystemFailed as failure:
            self._schemes = failure
            raise
        return self._schemes

    def _group(self, resource: Resource) -> Iterable[Holding]:
        known = self._queries.get(resource.name) or self._client.group(resource.name)
        query = known | {"includeInactiveUsers": "true"}
        members = self._client.pages(f"list the members of group {resource.name}", "group/member", query)
        users = [self._client.parsed(member) for member in members]
        self._users |= {user.name: user for user in users}
        self._members[resource.name] = users
        return [Holding(user.id, user.shown, resource, "member") for user in users]

    def _project(self, resource: Resource) -> Iterator[Holding]:
        """Role by role. On Data Center actors are told by username only, and each is looked up once for the key."""
        for role, path in self._client.roles(resource.name).items():
            actors = self._client.actors(resource.name, role, path)
            for name, shown in actors.users.items():
                account = name if self._client.cloud else self._key_of(name)
                yield Holding(account, shown, resource, role)
            for group in actors.groups:
                yield from self._through(group, resource, role)

    def _scheme(self, resource: Resource) -> Iterator[Holding]:
        if isinstance(self._schemes, SystemFailed):
            raise self._schemes
        found = (self._schemes or {}).get(resource.name)
        if found is None:
            raise SystemFailed(self._system, f"there is no permission scheme {resource.name!r}. Check the name.")
        for entry in found:
            if entry.user is not None:
                yield Holding(entry.user, entry.shown, resource, entry.permission)
            elif entry.group is not None:
                yield from self._through(entry.group, resource, entry.permission)

    def _through(self, group: str, resource: Resource, level: str) -> Iterator[Holding]:
        for user in self._members.get(group, ()):
            yield Holding(user.id, user.shown, resource, level, via=f"group {group}")

    def _key_of(self, username: str) -> str:
        if username not in self._users:
            self._users[username] = self._client.user({"username": username})
        user = self._users[username]
        return user.id if user else f"username:{username}"

    def _meet_everybody(self) -> None:
        """All users in few calls, where the token may list them; else those met are looked up afterwards."""
        try:
            self._users |= {user.name: user for user in self._client.users()}
        except SystemRefused as refused:
            if isinstance(refused, Rejected):
                raise

    def _meet(self, accounts: Sequence[str]) -> None:
        """Cloud: look up in bulk whoever was met in roles only."""
        new = [account for account in accounts if account not in self._users]
        parts = [new[start : start + _BULK] for start in range(0, len(new), _BULK)]
        for bodies in side_by_side(lambda p: self._client.pages("look up users", "user/bulk", {"accountId": p}), parts):
            self._users |= {body["accountId"]: self._client.parsed(body) for body in bodies}

    def _known(self) -> dict[str, Account]:
        return {user.id: _account(self._system, user) for user in self._users.values() if user}


def _account(system: str, user: User) -> Account:
    state = AccountState.ACTIVE if user.active else AccountState.SUSPENDED
    return Account(id="", system=system, external_id=user.id, handle=user.shown, state=state)
