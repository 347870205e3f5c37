"""What one GitHub account still holds, every route asked again about that account alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

from onboard.connectors.base import Residue, Unverifiable
from onboard.connectors.github import holdings
from onboard.connectors.github.client import GitHubClient
from onboard.connectors.github.graphql import GitHubGraph
from onboard.connectors.github.holdings import Names
from onboard.connectors.github.rest import GitHubRest
from onboard.connectors.github.rotation import Process
from onboard.connectors.github.routes import BLOCKED, ROUTES, GitHubRoutes
from onboard.connectors.github.sweep import Sweep
from onboard.connectors.github.told import Listed, Repo
from onboard.connectors.http import MALFORMED, Rejected, side_by_side
from onboard.connectors.levers import Once, Route, every, gather
from onboard.errors import SystemFailed, SystemRefused
from onboard.model import Account, Holding, HoldingState

#: What GitHub shows to nobody but its holder. None of it opens anything private once the account is in nothing.
UNVERIFIABLE = (
    Unverifiable("classic tokens", "GitHub lists a user's classic tokens to that user only; they live until revoked"),
    Unverifiable("OAuth grants", "apps that the user let in are shown to that user only; they live until revoked"),
    Unverifiable("SSH keys of the user", "they belong to the account, and the organisation can't delete them"),
    Unverifiable("forks and clones", "copies in other organisations and on machines are beyond what GitHub tells us"),
)
_ORPHANS = Unverifiable(
    "deploy keys",
    "the account is deleted, and GitHub doesn't tell any more which deploy keys it had added",
    by_hand="delete the deploy keys that nobody answers for",
)


def residue(client: GitHubClient, account: Account) -> Residue:
    """What remains for the account. An account that GitHub has deleted holds nothing any more.

    The lists of repositories and teams are read while the login is looked up. Raises nothing for what GitHub does.
    """
    at, external_id = client.clock(), account.external_id or ""
    email = external_id.removeprefix("email:") if external_id.startswith("email:") else None
    if email:
        alone = _Look(client, external_id, None)
        return gather(at, {"organisation invitations": lambda: alone.invitations(email)}, lambda: UNVERIFIABLE)
    lists = _Lists(client)
    try:
        asked: tuple[Callable[[], str | None], ...] = (partial(client.login_of, external_id), lists.begin)
        login = side_by_side(lambda ask: ask(), asked)[0]
    except SystemFailed as failure:
        return Residue(at, (), unverifiable=UNVERIFIABLE, unknown=(("the account", failure.reason),))
    if login is None:
        return Residue(at, ("the account",), unverifiable=(*UNVERIFIABLE, _ORPHANS))
    look = _Look(client, external_id, login, lists)
    return look.beyond(gather(at, look.routes(login), lambda: UNVERIFIABLE))


class _Lists:
    """The lists that several routes start from, each read once; what fails is tried anew, and told, by its route."""

    def __init__(self, client: GitHubClient) -> None:
        rest = GitHubRest(client)
        self.repos = Once(rest.repo_ids)
        self.teams = Once(rest.team_list)
        self.custom_roles = Once(rest.custom_roles)

    def begin(self) -> None:
        """Read them side by side. Raises nothing for what GitHub does."""
        asked: tuple[Callable[[], object], ...] = (self.repos, self.teams, self.custom_roles)
        side_by_side(self._begun, asked)

    def _begun(self, ask: Callable[[], object]) -> None:
        with suppress(SystemFailed, *MALFORMED):
            ask()


class _Look:
    """Looks for one account, by its id and by the login that it has now."""

    def __init__(self, client: GitHubClient, external_id: str, login: str | None, lists: _Lists | None = None) -> None:
        self._at = client.clock()
        self._id = external_id
        self._lists = lists or _Lists(client)
        self._graph = GitHubGraph(client)
        self._rest = GitHubRest(client)
        self._routes = GitHubRoutes(client)
        self._lacking: set[str] = set()
        self._sweep = Sweep(client, Process(), None)
        self._names = Names(client.system, client.org, {login: external_id} if login else {})

    def routes(self, login: str) -> dict[str, Route]:
        """Every route by which somebody with a login may hold something."""
        return {
            "organisation": lambda: self._membership(login),
            "organisation invitations": lambda: self.invitations(login),
            "teams": self._teams,
            "repositories and deploy keys": lambda: self._repositories(login),
            "repository invitations": self._offers,
            **{route: lambda route=route: self._lines(route, login) for route in ROUTES if route != BLOCKED},  # type: ignore[misc]
        }

    def beyond(self, found: Residue) -> Residue:
        """The same, where what the plan or the credential doesn't have counts as unverifiable, not as unread."""
        lacking = tuple(Unverifiable(name, reason) for name, reason in found.unknown if name in self._lacking)
        unknown = tuple(each for each in found.unknown if each[0] not in self._lacking)
        return replace(found, unknown=unknown, unverifiable=(*found.unverifiable, *lacking))

    def invitations(self, to: str) -> Iterator[Holding]:
        """Pending invitations to the organisation, by login or address. A failed one gives nothing: it is left out."""
        for invitation in self._rest.invitations():
            if (invitation["login"] or invitation["email"] or "").lower() == to.lower():
                yield holdings.of_invitation(self._names, invitation, HoldingState.INVITED)

    def _membership(self, login: str) -> Iterator[Holding]:
        held = self._rest.membership(login)
        if held:
            state = HoldingState.ACTIVE if held[1] == "active" else HoldingState.INVITED
            yield Holding(self._id, login, self._names.resource("org"), held[0], state)

    def _teams(self) -> Iterator[Holding]:
        for team in self._sweep.these_teams(self._lists.teams(), self._lists.custom_roles):
            yield from self._mine(holdings.of_team(self._names, team, {}, {}))

    def _repositories(self, login: str) -> Iterator[Holding]:
        ids = self._lists.repos()
        repos = self._sweep.either(
            lambda: self._graph.repositories(ids, login), lambda: self._rest.repositories(ids.values())
        )
        for repo in repos:
            yield from self._mine(holdings.of_repo(self._names, repo, Listed(self._at)))
            if repo.no_access:
                raise SystemFailed(self._names.system, repo.no_access)
        for name, keys in every(lambda name: (name, self._rest.keys(name)), [r.name for r in repos if r.keys != 0]):
            listed = Listed(self._at, keys=tuple(keys))
            yield from self._mine(holdings.of_keys(self._names, name, listed))

    def _offers(self) -> Iterator[Holding]:
        for name, offers in every(lambda name: (name, self._rest.offers(name)), [*self._lists.repos().values()]):
            yield from self._mine(holdings.of_repo(self._names, Repo(name), Listed(self._at, offers=tuple(offers))))

    def _lines(self, route: str, login: str) -> Iterator[Holding]:
        try:
            lines = self._routes.lines(route, login)
        except Rejected:
            raise
        except SystemRefused:
            self._lacking.add(route)
            raise
        yield from self._mine(line.holding(self._names) for line in lines)

    def _mine(self, found: Iterable[Holding]) -> Iterator[Holding]:
        yield from (holding for holding in found if holding.account == self._id)
