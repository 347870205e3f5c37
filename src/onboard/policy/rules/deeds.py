"""What rules of authority are asked about, as values: they and `authority/schema.cedarschema` say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What somebody may do to a person, or have done."""

    APPROVE = "approve"
    REFUSE = "refuse"
    ACCEPT_HAZARD = "accept_hazard"
    CUTOFF = "cutoff"
    OFFBOARD = "offboard"
    RESTORE = "restore"
    CHANGE_ROLE = "change_role"
    RECORD = "record"
    EDIT_PEOPLE = "edit_people"
    ERASE = "erase"
    DELEGATE = "delegate"
    REQUEST = "request"
    BREAK_GLASS = "break_glass"
    PRE_APPROVE = "pre_approve"


@dataclass(frozen=True, slots=True)
class ActorIs:
    """Who does it. `kind`: person, operator or scheduler; `owns`: the teams whose word they give."""

    id: str
    kind: str
    authenticated_by: str
    outsourced: bool = False
    vendors: frozenset[str] = frozenset()
    left: bool = False
    owns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PersonIs:
    """Whom it is about."""

    id: str
    outsourced: bool = False
    vendors: frozenset[str] = frozenset()
    left: bool = False


@dataclass(frozen=True, slots=True)
class ResourceIs:
    """What would be held."""

    id: str
    system: str
    kind: str
    type: str
    owner: str
    classification: str
    sensitivity: int
    tags: frozenset[str]
    high_risk: bool


@dataclass(frozen=True, slots=True)
class About:
    """How the actor stands to the person; `capacities`: sponsor, product-owner, company-lead."""

    is_self: bool = False
    same_vendor: bool = False
    capacities: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan(About):
    """The same, and a plan that needs somebody's word in a capacity (`need`)."""

    need: str = ""
    named: bool = False
    delegate: bool = False
    overdue: bool = False
    high_risk: bool = False
    sensitivity: int = 0


@dataclass(frozen=True, slots=True)
class Handover(About):
    """The same, and who is to be the delegate, for how many days."""

    delegate_outsourced: bool = False
    delegate_left: bool = False
    days: int = 0


@dataclass(frozen=True, slots=True)
class Extra(About):
    """The same, and what would be held beside the role, for how many minutes."""

    resource: str = ""
    owner: str = ""
    level: str = ""
    tags: frozenset[str] = frozenset()
    high_risk: bool = False
    sensitivity: int = 0
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class GrantIs:
    """A grant of a role, as one of its warrants has it; `rank` is the phase's, `sensitivity` the engagement's."""

    level: str
    role: str
    phase: str
    rank: int
    model: str
    engagement: str
    sensitivity: int


@dataclass(frozen=True, slots=True)
class Question:
    """May `principal` do this to `resource`, things being so? Alike questions are equal."""

    action: Action
    principal: ActorIs | PersonIs
    resource: PersonIs | ResourceIs
    context: About | GrantIs

    def request(self) -> dict[str, Any]:
        """The Cedar request."""
        return {
            "principal": _uid(self.principal),
            "action": f'Action::"{self.action}"',
            "resource": _uid(self.resource),
            "context": _attributes(self.context),
        }

    def entities(self) -> list[dict[str, Any]]:
        """The two entities that the request speaks of."""
        return [{"uid": _uid(one), "attrs": _attributes(one), "parents": []} for one in (self.principal, self.resource)]


def _uid(one: ActorIs | PersonIs | ResourceIs) -> dict[str, str]:
    names: Mapping[type, str] = {ActorIs: "Actor", PersonIs: "Person", ResourceIs: "Resource"}
    return {"type": names[type(one)], "id": one.id}


def _attributes(one: ActorIs | PersonIs | ResourceIs | About | GrantIs) -> dict[str, Any]:
    values = {field.name: getattr(one, field.name) for field in fields(one) if field.name != "id"}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def probes() -> Iterator[Question]:
    """A question of every form, to see that a schema describes what is asked."""
    actor, person = ActorIs("a", "person", "vault login", vendors=frozenset({"v"})), PersonIs("p")
    forms = {Action.DELEGATE: Handover(), Action.REQUEST: Extra(), Action.BREAK_GLASS: Extra()}
    forms |= dict.fromkeys((Action.APPROVE, Action.REFUSE, Action.ACCEPT_HAZARD), Plan())
    for action in Action:
        if action is not Action.PRE_APPROVE:
            yield Question(action, actor, person, forms.get(action, About()))
    resource = ResourceIs("s:t:n", "s", "k", "t", "o", "public", 0, frozenset({"t"}), high_risk=False)
    yield Question(Action.PRE_APPROVE, person, resource, GrantIs("l", "r", "discovery", 0, "m", "e", 0))
