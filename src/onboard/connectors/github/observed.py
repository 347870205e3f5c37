"""From the parts of one reading to what is known of each resource, and of whom was met. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from onboard.connectors.github import holdings
from onboard.connectors.github.holdings import Names
from onboard.connectors.github.routes import CREDENTIAL, Line
from onboard.connectors.github.sweep import Invitations, Part
from onboard.connectors.github.told import Access, Listed, Person, Repo, Team
from onboard.model import Account, AccountKind, AccountState, Holding, HoldingState, Reading, Resource

#: Weakest first, so that whoever keeps one holding per level keeps the one that counts.
_STRENGTH = (HoldingState.EXPIRED, HoldingState.INVITED, HoldingState.ACTIVE)
#: Holding one of these says that somebody is, or was invited to be, a member.
_BELONGS = ("org", "team")


@dataclass(frozen=True, slots=True)
class Told:
    """The parts of a reading that were asked for. `through` is the access that teams give, where all teams were read.

    `whole` says that it was a reading of everything: then what the plan or the credential doesn't have is left out.
    """

    at: datetime
    members: Part[list[tuple[Person, str]]]
    invitations: Part[Invitations] = field(default_factory=Part)
    base: Part[str | None] = field(default_factory=Part)
    teams: Mapping[str, Part[Team]] = field(default_factory=dict)
    levels: Mapping[str, Part[dict[str, str]]] = field(default_factory=dict)
    repos: Mapping[str, Part[Repo]] = field(default_factory=dict)
    listed: Mapping[str, Listed] = field(default_factory=dict)
    routes: Mapping[str, Part[list[Line]]] = field(default_factory=dict)
    through: Mapping[str, set[Access]] = field(default_factory=dict)
    whole: bool = False

    def logins(self) -> Iterator[str]:
        """Everybody who was told by login alone, and has to be looked up."""
        yield from self.invited()
        for listed in self.listed.values():
            yield from (key.added_by for key in listed.keys if key.added_by)
        for repo in self.repos.values():
            yield from (
                (owner for owner in holdings.code_owners(repo.value.codeowners) if "@" not in owner)
                if (repo.value)
                else ()
            )
        credentials = self.routes.get(CREDENTIAL)
        yield from (line.login for line in (credentials.value if credentials else None) or ())

    def invited(self) -> list[str]:
        """The logins of invitations to the organisation."""
        found = self.invitations.value
        return [each["login"] for each in (*found.pending, *found.failed) if each["login"]] if found else []


class Observed:
    """The readings that follow from what was told. `names` is unknown where logins couldn't be looked up."""

    def __init__(self, told: Told, names: Part[Names], plain: Names) -> None:
        self._told = told
        self.names = names.value or plain
        self._unnamed = names.unknown

    def readings(self) -> Iterator[Reading]:
        """Every resource that was met or that couldn't be read."""
        yield self._org()
        yield from self._base()
        for slug in self._told.teams:
            yield self._team(slug)
        for name in self._told.repos:
            yield from self._repo(name)
        for route, lines in self._told.routes.items():
            yield from self._route(route, lines)

    def accounts(self, readings: Iterable[Reading]) -> dict[str, Account]:
        """Whoever was met, by id. Without the member list nobody's kind is known, and nobody is told."""
        if self._told.members.value is None:
            return {}
        members = {person.id for person, _ in self._told.members.value}
        met = [
            h for r in readings for h in r.holdings if h.account.isdecimal() and r.resource.type in (*_BELONGS, "repo")
        ]
        belongs = members | {h.account for h in met if h.resource.type in _BELONGS}
        active = members | {h.account for h in met if h.state is HoldingState.ACTIVE}
        return {
            h.account: Account(
                id="",
                system=self.names.system,
                external_id=h.account,
                handle=h.handle,
                kind=AccountKind.MEMBER if h.account in belongs else AccountKind.OUTSIDE_COLLABORATOR,
                state=AccountState.ACTIVE if h.account in active else AccountState.INVITED,
            )
            for h in {each.account: each for each in met}.values()
        }

    def _org(self) -> Reading:
        told = self._told
        unnamed = self._unnamed if told.invited() else None
        return _reading(
            self.names.resource("org"), (told.members.unknown, told.invitations.unknown, unnamed), self._org_holdings
        )

    def _org_holdings(self) -> Iterator[Holding]:
        yield from holdings.of_members(self.names, self._told.members.value or ())
        invitations = self._told.invitations.value or Invitations([], [])
        for each in invitations.pending:
            yield holdings.of_invitation(self.names, each, HoldingState.INVITED)
        for each in invitations.failed:
            if not holdings.accepted(each):
                yield holdings.of_invitation(self.names, each, HoldingState.EXPIRED)

    def _base(self) -> Iterator[Reading]:
        told, resource = self._told, self.names.resource("base-permission")
        if told.base.unknown or told.base.value not in (None, "none"):
            unknown = (told.base.unknown, told.members.unknown)
            yield _reading(
                resource, unknown, lambda: holdings.of_base(self.names, told.members.value or (), told.base.value)
            )

    def _team(self, slug: str) -> Reading:
        team, levels = self._told.teams[slug], self._told.levels.get(slug) or Part({})
        invitations = self._told.invitations
        numbers = invitations.value.numbers() if invitations.value else {}
        unknown = (team.unknown, levels.unknown)
        return _reading(
            self.names.resource("team", slug),
            unknown,
            lambda: holdings.of_team(self.names, team.value, levels.value or {}, numbers) if team.value else (),
        )

    def _repo(self, name: str) -> Iterator[Reading]:
        repo = self._told.repos[name]
        resource = self.names.resource("repo", name)
        if repo.value is None:
            yield Reading(resource, unknown=repo.unknown)
            return
        told, listed = repo.value, self._told.listed.get(name) or Listed(self._told.at)
        at = listed.at if listed.at < self._told.at else None
        through = self._told.through.get(name, ())
        yield _reading(
            resource,
            (told.no_access, listed.no_offers),
            lambda: holdings.of_repo(self.names, told, listed, through),
            at,
        )
        yield from self._keys(name, listed, at)
        yield from self._codeowners(told)

    def _keys(self, name: str, listed: Listed, at: datetime | None) -> Iterator[Reading]:
        if listed.no_keys:
            yield Reading(self.names.resource("deploy-key", f"{name}#*"), unknown=listed.no_keys)
        for holding in holdings.of_keys(self.names, name, listed):
            yield _reading(holding.resource, (self._unnamed,), lambda held=holding: (held,), at)  # type: ignore[misc]

    def _codeowners(self, repo: Repo) -> Iterator[Reading]:
        """A file that can't be read is told where it was asked for only: it gives nobody access."""
        if repo.codeowners or (repo.no_codeowners and not self._told.whole):
            yield _reading(
                self.names.resource("codeowners", repo.name),
                (repo.no_codeowners, self._unnamed),
                lambda: holdings.of_codeowners(self.names, repo),
            )

    def _route(self, route: str, lines: Part[list[Line]]) -> Iterator[Reading]:
        """Each resource of a route. In a whole reading a route is left out that the plan or the credential lacks."""
        unknown = lines.unknown or (self._unnamed if route == CREDENTIAL else None)
        if unknown:
            if not (self._told.whole and lines.lacking):
                yield Reading(self.names.resource(route, "*"), unknown=unknown)
            return
        found: dict[Resource, list[Holding]] = {}
        for line in lines.value or ():
            holding = line.holding(self.names)
            found.setdefault(holding.resource, []).append(holding)
        for resource, held in found.items():
            yield _reading(resource, (), lambda held=held: held)  # type: ignore[misc]


def _reading(
    resource: Resource,
    unknown: Iterable[str | None],
    holdings: Callable[[], Iterable[Holding]],
    at: datetime | None = None,
) -> Reading:
    """Unknown where any reason is given, else with the holdings in a fixed order."""
    reason = next(filter(None, unknown), None)
    if reason is not None:
        return Reading(resource, unknown=reason, at=at)
    return Reading(resource, tuple(sorted(set(holdings()), key=_order)), at=at)


def _order(holding: Holding) -> tuple[str, int, str, str]:
    return holding.account, _STRENGTH.index(holding.state), holding.level, holding.via
