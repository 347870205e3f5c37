"""One reading of an organisation: what is asked of which API, what failed, and what follows for each resource."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from onboard.connectors.github import holdings
from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.graphql import GitHubGraph
from onboard.connectors.github.holdings import Names
from onboard.connectors.github.rest import GitHubRest
from onboard.connectors.github.rotation import Memory, due, is_empty
from onboard.connectors.github.routes import GitHubRoutes, Line
from onboard.connectors.github.told import Listed, Person, Repo, Team
from onboard.connectors.http import MALFORMED, Rejected, Unreachable, malformed, side_by_side
from onboard.errors import SystemFailed, SystemRefused

T = TypeVar("T")

#: Calls at once for what is listed repository by repository; GitHub takes a hundred from everybody together.
_LISTING = 24


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """What one part of a reading brought, or why it is unknown; `lacking` where the plan or credential hasn't it."""

    value: T | None = None
    unknown: str | None = None
    lacking: bool = False


@dataclass(frozen=True, slots=True)
class Invitations:
    """Invitations to the organisation as REST lists them."""

    pending: list[dict[str, Any]]
    failed: list[dict[str, Any]]

    def numbers(self) -> dict[str, str]:
        """The id of each pending one, by login or address in lower case."""
        return {(each["login"] or each["email"] or "").lower(): str(each["id"]) for each in self.pending}


class Sweep:
    """Asks GitHub's two APIs: GraphQL first, and REST for each part that it doesn't bring. Lives for one reading."""

    def __init__(self, client: GitHubClient, memory: Memory, fresh: Collection[str] | None) -> None:
        self._client = client
        self._graph = GitHubGraph(client)
        self._rest = GitHubRest(client)
        self._routes = GitHubRoutes(client)
        self._memory = memory
        self._fresh = fresh
        self._graph_failed = False
        self._ids: dict[str, str | None] = {}

    # Asking

    def members(self) -> Part[list[tuple[Person, str]]]:
        """The organisation's members with their level. By REST, whose pages can be asked for side by side."""
        return self.part("members", self._rest.members)

    def invitations(self) -> Part[Invitations]:
        """Invitations to the organisation, pending and failed."""
        return self.part("invitations", lambda: Invitations(self._rest.invitations(), self._rest.failed_invitations()))

    def base(self) -> Part[str | None]:
        """The base permission; None where this token isn't told."""
        return self.part("the base permission", self._rest.base_permission)

    def teams(self) -> Part[list[Team]]:
        """Every team. A team's level on a repository is REST's where custom roles may be among them."""
        return self.part("teams", lambda: self.these_teams(self._rest.team_list()))

    def team(self, slug: str) -> Part[Team]:
        """One team."""
        graph, rest = partial(self._graph.team, slug), partial(self._rest.team, slug)
        return self.part(f"team {slug}", lambda: self.either(graph, rest))

    def repositories(self) -> Part[list[Repo]]:
        """Every repository."""
        return self.part("repositories", self._repositories)

    def repository(self, name: str) -> Part[Repo]:
        """One repository."""
        graph, rest = partial(self._graph.repository, name), partial(self._rest.repository, name)
        return self.part(f"repository {name}", lambda: self.either(graph, rest))

    def listed(self, repos: Iterable[Repo]) -> dict[str, Listed]:
        """What only REST lists of these repositories: now where it is due, else as it was remembered."""
        by_name = {repo.name: repo for repo in repos}
        known = {} if self._fresh is None else self._memory.known()
        keyless = [name for name, repo in by_name.items() if not repo.keys]
        known = {name: known[name] for name in keyless if name in known}
        wanted = by_name if self._fresh is None else self._fresh
        names = sorted(due(known, by_name, wanted, self._client.clock()))
        read = side_by_side(lambda name: self._rest.listed(name, keys=by_name[name].keys != 0), names, _LISTING)
        now = dict(zip(names, read, strict=True))
        empty = {name: listed.at for name, listed in now.items() if is_empty(listed)}
        self._memory.note(empty, now.keys() - empty.keys())
        return {name: now.get(name) or Listed(known[name]) for name in by_name}

    def levels(self, team: Team) -> Part[dict[str, str]]:
        """The level that each account invited to a team will get, by login."""
        logins = [invited.person.login for invited in team.invited if invited.person]
        work = lambda: {login: self._rest.team_level(team.slug, login) for login in logins}  # noqa: E731
        return self.part(f"invitations to team {team.slug}", work)

    def lines(self, route: str, login: str | None = None) -> Part[list[Line]]:
        """One of ROUTES."""
        return self.part(route, lambda: self._routes.lines(route, login))

    def names(self, logins: Iterable[str]) -> Part[Names]:
        """The ids of these logins, each looked up once in a reading."""
        missing = sorted({login for login in logins if login and login not in self._ids})
        if missing:
            graph, rest = partial(self._graph.accounts, missing), partial(self._rest.accounts, missing)
            told = self.part("logins", lambda: self.either(graph, rest))
            if told.value is None:
                return Part(unknown=told.unknown)
            self._ids |= told.value
        return Part(Names(self._client.system, self._client.org, dict(self._ids)))

    def part(self, name: str, work: Callable[[], T]) -> Part[T]:
        """What the work brings, or why not. Raises where nothing else would answer."""
        try:
            return Part(work())
        except (Unreachable, Rejected):
            raise
        except SystemFailed as failure:
            return Part(unknown=failure.reason, lacking=isinstance(failure, SystemRefused))
        except MALFORMED:
            return Part(unknown=malformed(name))

    def either(self, by_graph: Callable[[], T], by_rest: Callable[[], T]) -> T:
        """By GraphQL, or by REST where that fails; unless it was a definite no, this reading asks GraphQL no more."""
        if not self._graph_failed:
            try:
                return by_graph()
            except (Unreachable, Rejected):
                raise
            except SystemRefused:
                return by_rest()
            except (SystemFailed, *MALFORMED):
                self._graph_failed = True
        return by_rest()

    def these_teams(
        self, listed: Sequence[Mapping[str, Any]], custom_roles: Callable[[], bool] | None = None
    ) -> list[Team]:
        """These teams, as REST lists them. Raises SystemFailed where they can't be read."""
        return holdings.nesting(self._exact(self._these(listed), custom_roles or self._rest.custom_roles))

    def _these(self, listed: Sequence[Mapping[str, Any]]) -> list[Team]:
        ids = [team["node_id"] for team in listed]
        return self.either(lambda: self._graph.teams(ids), lambda: self._rest.teams(listed))

    def _repositories(self) -> list[Repo]:
        ids = self._rest.repo_ids()
        return self.either(lambda: self._graph.repositories(ids), lambda: self._rest.repositories(ids.values()))

    def _exact(self, teams: list[Team], custom_roles: Callable[[], bool]) -> list[Team]:
        """The teams, the levels of those that have repositories read by REST where there may be custom roles."""
        if self._graph_failed or not custom_roles():
            return teams
        return side_by_side(lambda team: self._with_exact_levels(team) if team.repos else team, teams)

    def _with_exact_levels(self, team: Team) -> Team:
        return replace(team, repos=tuple(self._rest.team_repos(team.slug)))
