"""From what GitHub tells to who holds what. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from onboard.connectors.github.told import BASE, DIRECT, Access, Listed, Person, Repo, Team, level_of
from onboard.model import Holding, HoldingState, Resource

#: By which route a lapsed invitation is told. GitHub lists it on and on and lets nobody delete it; it gives nothing.
FAILED = "failed invitation"
CODEOWNERS = "CODEOWNERS"

_OWNER = re.compile(r"@(?P<login>[A-Za-z0-9][A-Za-z0-9_-]*)|(?P<email>[^@\s]+@[^@\s]+)")


@dataclass(frozen=True, slots=True)
class Names:
    """How resources of one organisation are named, and the ids that answer to logins now (None: nobody's)."""

    system: str
    org: str
    ids: Mapping[str, str | None]

    def resource(self, type_: str, name: str | None = None) -> Resource:
        """`TYPE:ORG`, or `TYPE:ORG/NAME`."""
        return Resource(self.system, type_, self.org if name is None else f"{self.org}/{name}")

    def account(self, login: str | None, otherwise: str) -> str:
        """The id of a login's account; `otherwise` where there is none."""
        return (self.ids.get(login) if login else None) or otherwise


def of_members(names: Names, members: Iterable[tuple[Person, str]]) -> list[Holding]:
    """The organisation's members with their level."""
    return [Holding(person.id, person.login, names.resource("org"), level) for person, level in members]


def of_invitation(names: Names, invitation: Mapping[str, Any], state: HoldingState) -> Holding:
    """An invitation to the organisation: to a login, or to an address that is bound to no account yet."""
    login, email, number = invitation["login"], invitation["email"], str(invitation["id"])
    account = names.account(login, f"email:{email}" if email and not login else f"invitation:{number}")
    level = {"direct_member": "member", "reinstate": "member"}.get(invitation["role"], invitation["role"])
    via = FAILED if state is HoldingState.EXPIRED else DIRECT
    return Holding(account, login or email or "", names.resource("org"), level, state, via, number)


def accepted(invitation: Mapping[str, Any]) -> bool:
    """Whether a "failed" invitation only failed because an earlier one had been accepted."""
    return "already" in (invitation.get("failed_reason") or "").lower()


def of_team(names: Names, team: Team, levels: Mapping[str, str], numbers: Mapping[str, str]) -> Iterator[Holding]:
    """A team's own people, who is invited to it, and those whom GitHub counts in because they are in a nested team.

    `levels` has the level that an invited login will get, `numbers` the id of the invitation, by login or address.
    """
    resource = names.resource("team", team.slug)
    for person, level in team.people:
        yield Holding(person.id, person.login, resource, level)
    for person, inner in team.nested:
        yield Holding(person.id, person.login, resource, "member", via=f"team {inner}")
    for invited in team.invited:
        handle = invited.person.login if invited.person else invited.email or ""
        number = numbers.get(handle.lower())
        account = invited.person.id if invited.person else f"email:{invited.email}"
        yield Holding(account, handle, resource, levels.get(handle, "member"), HoldingState.INVITED, DIRECT, number)


def nesting(teams: Iterable[Team]) -> list[Team]:
    """The same teams, each with the people of all teams within it."""
    known = {team.slug: team for team in teams}
    nested: dict[str, list[tuple[Person, str]]] = {slug: [*team.nested] for slug, team in known.items()}
    for team in known.values():
        for above in _above(team, known):
            nested[above] += [(person, team.slug) for person, _ in team.people]
    return [
        Team(team.slug, team.parent, team.people, team.invited, team.repos, tuple(dict.fromkeys(nested[team.slug])))
        for team in known.values()
    ]


def _above(team: Team, known: Mapping[str, Team]) -> Iterator[str]:
    """The slugs of the team's parent, that one's parent, and so on."""
    while team.parent is not None and team.parent in known:
        team = known[team.parent]
        yield team.slug


def through_teams(teams: Iterable[Team]) -> dict[str, set[Access]]:
    """By repository, the access that everybody in a team, or in a team nested in it, has through it."""
    found: dict[str, set[Access]] = {}
    for team in teams:
        people = [*(person for person, _ in team.people), *(person for person, _ in team.nested)]
        for name, level in team.repos:
            found.setdefault(name, set()).update(Access(person, f"team {team.slug}", level) for person in people)
    return found


def of_repo(names: Names, repo: Repo, listed: Listed, through: Iterable[Access] = ()) -> Iterator[Holding]:
    """A repository's people, by each way in which they have access, and its invitations, expired ones included."""
    resource = names.resource("repo", repo.name)
    for access in {*repo.access, *through}:
        yield Holding(access.person.id, access.person.login, resource, access.level, via=access.via)
    for offer in listed.offers:
        account, handle = (offer.person.id, offer.person.login) if offer.person else (f"invitation:{offer.id}", "")
        state = HoldingState.EXPIRED if offer.expired else HoldingState.INVITED
        yield Holding(account, handle, resource, offer.level, state, DIRECT, offer.id)


def of_keys(names: Names, repo: str, listed: Listed) -> Iterator[Holding]:
    """A repository's deploy keys, each a resource of its own, held by whoever added it."""
    for key in listed.keys:
        resource = names.resource("deploy-key", f"{repo}#{key.id}")
        account = names.account(key.added_by, f"deploy-key:{key.id}")
        yield Holding(account, key.added_by or key.title, resource, key.level)


def code_owners(text: str) -> Counter[str]:
    """Who is named in a CODEOWNERS file, as `login` or `address`, and on how many lines; teams are left out."""
    lines = (line.partition("#")[0].split()[1:] for line in text.splitlines())
    owners = (_OWNER.fullmatch(word) for line in lines for word in line)
    return Counter(owner["login"] or owner["email"] for owner in owners if owner)


def of_codeowners(names: Names, repo: Repo) -> Iterator[Holding]:
    """Who is named in a repository's CODEOWNERS: no access, and nothing that could be revoked, but worth knowing."""
    for owner, lines in code_owners(repo.codeowners).items():
        account = names.account(owner, f"email:{owner}" if "@" in owner else f"login:{owner}")
        level = f"on {lines} line{'s' if lines > 1 else ''}"
        yield Holding(account, owner, names.resource("codeowners", repo.name), level, via=CODEOWNERS)


def of_base(names: Names, members: Iterable[tuple[Person, str]], base: str | None) -> Iterator[Holding]:
    """What every member but an owner has on every repository, unless that is nothing; told once, not for each."""
    for person, role in members if base not in (None, "none") else ():
        if role != "admin":
            yield Holding(person.id, person.login, names.resource("base-permission"), level_of(str(base)), via=BASE)
