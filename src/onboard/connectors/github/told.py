"""What GitHub tells of teams and repositories, in the same words whether REST or GraphQL told it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from onboard.connectors.github.client import LEVELS

#: How access comes about, as `Holding.via` says it; a team's is `team SLUG`.
DIRECT = "direct"
OWNER = "org owner"
BASE = "org base permission"


@dataclass(frozen=True, slots=True)
class Person:
    """A GitHub account: its numeric id as text, and its login at the moment of reading."""

    id: str
    login: str


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody invited to a team: the account where there is one, else the e-mail address."""

    person: Person | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Team:
    """A team: its own people with their level, who is invited, and the level that it has on which repositories.

    `nested` are the people of teams within it, by the slug of that team: GitHub counts them as its own.
    """

    slug: str
    parent: str | None = None
    people: tuple[tuple[Person, str], ...] = ()
    invited: tuple[Invited, ...] = ()
    repos: tuple[tuple[str, str], ...] = ()
    nested: tuple[tuple[Person, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """One way in which somebody has access to a repository, and the level that it gives."""

    person: Person
    via: str
    level: str


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository: how its direct collaborators have access; `keys` counts its deploy keys, None if not told.

    `codeowners` is the text of its CODEOWNERS file, empty where it has none. Each `no_…` says why a part isn't known.
    """

    name: str
    access: tuple[Access, ...] = ()
    keys: int | None = None
    codeowners: str = ""
    no_access: str | None = None
    no_codeowners: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """An invitation to a repository, with the invitee where GitHub names one."""

    id: str
    person: Person | None
    level: str
    expired: bool


@dataclass(frozen=True, slots=True)
class DeployKey:
    """A deploy key: who added it, by login, None where that account is deleted."""

    id: str
    title: str
    level: str
    added_by: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """What only REST lists, one repository at a time: its invitations and deploy keys, and when that was."""

    at: datetime
    offers: tuple[Offer, ...] = ()
    keys: tuple[DeployKey, ...] = ()
    no_offers: str | None = None
    no_keys: str | None = None


def level_of(name: str) -> str:
    """Our name for a role as GitHub spells it (`read`, `WRITE`): custom roles keep theirs."""
    return LEVELS.get(name.lower(), name.lower() if name.isupper() else name)
