"""What an account still holds in Jira, read again by every route."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cached_property

from onboard.connectors.base import OWN_ACCOUNT, Residue, Unverifiable
from onboard.connectors.http import side_by_side
from onboard.connectors.jira_client import JiraClient, User
from onboard.connectors.jira_schemes import entries
from onboard.connectors.levers import gather
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

    def account(self) -> Iterator[Holding]:
        """An active account: on Data Center it can log in; on Cloud it is Atlassian's, and groups let it in."""
        if self._user and self._user.active:
            via = OWN_ACCOUNT if self._client.cloud else "direct"
            yield self._holding("account", self._client.system, "active", via)

    def groups(self) -> Iterator[Holding]:
        """The groups that the user is in."""
        yield from (self._holding("group", name, "member") for name in self._groups)

    def roles(self) -> Iterator[Holding]:
        """Every role of every project that names the user or one of the user's groups."""
        if self._user is None:
            return
        projects = self._client.projects()
        listed = side_by_side(self._client.roles, projects)
        roles = [(project, *role) for project, found in zip(projects, listed, strict=True) for role in found.items()]
        for held in side_by_side(lambda role: list(self._in_role(*role)), roles):
            yield from held

    def schemes(self) -> Iterator[Holding]:
        """Permissions that schemes give to the user or one of the user's groups by name."""
        for name, found in entries(self._client).items() if self._user else ():
            for entry in found:
                if entry.user is not None and self._user and entry.user == self._user.id:
                    yield self._holding("permission-scheme", name, entry.permission)
                elif entry.group in self._groups:
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

    def _in_role(self, project: str, role: str, path: str) -> Iterator[Holding]:
        actors = self._client.actors(project, role, path)
        if self._user and self._user.name.lower() in {name.lower() for name in actors.users}:
            yield self._holding("project", project, role)
        for group in set(actors.groups) & set(self._groups):
            yield self._holding("project", project, role, f"group {group}")

    @cached_property
    def _user(self) -> User | None:
        """The user with the account's id; of an account that isn't bound, the one that answers to its handle."""
        external_id = self._account.external_id
        if external_id is None:
            found = self._find(self._account.handle)
            external_id = found.external_id if found else None
        return self._client.by_id(external_id) if external_id else None

    @cached_property
    def _groups(self) -> list[str]:
        return list(self._client.groups_of(self._user)) if self._user else []

    def _holding(self, type_: str, name: str, level: str, via: str = "direct") -> Holding:
        resource, user = Resource(self._client.system, type_, name), self._user
        return Holding(user.id if user else "", user.shown if user else "", resource, level, via=via)
