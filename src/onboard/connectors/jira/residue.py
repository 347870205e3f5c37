"""What an account still holds in Jira, read again by every route."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from onboard.connectors.base import OWN_ACCOUNT, Residue, Unverifiable
from onboard.connectors.jira.client import Actors, JiraClient, User
from onboard.connectors.jira.roles import Role, look_at_all
from onboard.connectors.jira.schemes import entries
from onboard.connectors.levers import Once, gather
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Holding, Resource

#: Atlassian's API tokens end after a year at most.
_TOKENS_LAST = timedelta(days=365)

#: Who answers to a handle now; raises SystemFailed where it can't be told.
Find = Callable[[str], Account | None]


def residue(client: JiraClient, account: Account, find: Find) -> Residue:
    """As base.Reader says. Every role of every project is read again, several at a time."""
    search = _Search(client, account, find)
    routes = {
        "account": search.account,
        "groups": search.groups,
        "project roles": search.roles,
        "permission schemes": search.schemes,
    }
    return gather(client.clock(), routes, search.unverifiable)


class _Search:
    def __init__(self, client: JiraClient, account: Account, find: Find) -> None:
        self._client = client
        self._account = account
        self._find = find
        self._user = Once(self._find_user)
        self._groups = Once(self._find_groups)

    def account(self) -> Iterator[Holding]:
        """An active account: on Data Center it can log in; on Cloud it is Atlassian's, and groups let it in."""
        user = self._user()
        if user and user.active:
            via = OWN_ACCOUNT if self._client.cloud else "direct"
            yield self._holding("account", self._client.system, "active", via)

    def groups(self) -> Iterator[Holding]:
        """The groups that the user is in."""
        yield from (self._holding("group", name, "member") for name in self._groups())

    def roles(self) -> Iterator[Holding]:
        """Every role of every project that names the user or one of the user's groups."""
        looked = look_at_all(self._client, self._in_role)
        for held in looked.found:
            yield from () if isinstance(held, SystemFailed) else held
        for failed in (*looked.found, *looked.failures):
            if isinstance(failed, SystemFailed):
                raise failed

    def schemes(self) -> Iterator[Holding]:
        """Permissions that schemes give to the user or one of the user's groups by name."""
        schemes, user, groups = entries(self._client), self._user(), self._groups()
        for name, found in schemes.items() if user else ():
            for entry in found:
                if entry.user is not None and user and entry.user == user.id:
                    yield self._holding("permission-scheme", name, entry.permission)
                elif entry.group in groups:
                    yield self._holding("permission-scheme", name, entry.permission, f"group {entry.group}")

    def unverifiable(self) -> Iterator[Unverifiable]:
        """The person's own credentials, and what Jira's API doesn't show by person."""
        powerless = "are the person's own; without groups, roles and schemes they reach nothing here"
        if self._client.cloud:
            yield Unverifiable("API tokens of the Atlassian account", powerless, _TOKENS_LAST)
            yield Unverifiable("OAuth grants of the Atlassian account", powerless)
            yield Unverifiable(
                "invitations to the site that weren't accepted", "are shown by the organisation's administration only"
            )
        else:
            yield Unverifiable("personal access tokens", "are the person's own; they end when the account is inactive")
        yield Unverifiable("issue security, filters and boards", "that name the person can't be searched for by person")

    def _in_role(self, role: Role, actors: Actors | SystemFailed) -> list[Holding] | SystemFailed:
        if isinstance(actors, SystemFailed):
            return actors
        try:
            user, groups = self._user(), self._groups()
        except SystemFailed as failure:
            return failure
        own = [self._holding("project", role.project, role.name)] if user and actors.names(user) else []
        through = set(actors.groups) & set(groups)
        return own + [self._holding("project", role.project, role.name, f"group {group}") for group in through]

    def _find_user(self) -> User | None:
        """The user with the account's id; of an account that isn't bound, the one that answers to its handle."""
        external_id = self._account.external_id
        if external_id is None:
            found = self._find(self._account.handle)
            external_id = found.external_id if found else None
        return self._client.by_id(external_id) if external_id else None

    def _find_groups(self) -> list[str]:
        """On Cloud by the account's id as it is, while the user is being looked up."""
        id_ = self._account.external_id if self._client.cloud else None
        user = User(id_, id_, id_, active=True, email=None) if id_ else self._user()
        try:
            return list(self._client.groups_of(user)) if user else []
        except SystemRefused:
            if self._user() is None:
                return []
            raise

    def _holding(self, type_: str, name: str, level: str, via: str = "direct") -> Holding:
        resource, user = Resource(self._client.system, type_, name), self._user()
        return Holding(user.id if user else "", user.shown if user else "", resource, level, via=via)
