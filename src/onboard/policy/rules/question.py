"""What guardrails are asked: may this person hold this level on this resource, in the state that a change would leave?

Each part's attributes bear the names that Cedar's schema gives them. Place and Terms together are its context.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date

from onboard.levels import scale_of
from onboard.policy.terms import ResourceSpec

#: Attributes by the variable that has them: ("context", "level"). "*" is every attribute of a variable.
Reads = frozenset[tuple[str, str]]
_EPOCH = date(1970, 1, 1).toordinal()


def day_number(day: date) -> int:
    """Days since 1970-01-01: Cedar compares numbers."""
    return day.toordinal() - _EPOCH


@dataclass(frozen=True, slots=True)
class Principal:
    """Who would hold it, and everything else that they would hold. `id` is empty for whom no rule names."""

    id: str
    outsourced: bool
    vendors: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    duties: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Thing:
    """What would be held."""

    id: str
    system: str
    kind: str
    type: str
    owner: str
    classification: str
    sensitivity: int
    tags: frozenset[str]
    exclusive: bool


@dataclass(frozen=True, slots=True)
class Place:
    """The assignment for which it would be held, as it is today."""

    role: str
    model: str
    engagement: str
    sensitivity: int
    facts: frozenset[str]
    dpa: bool
    location: str
    location_allowed: bool
    on_call: bool
    engagement_ends: int
    today: int


@dataclass(frozen=True, slots=True)
class Terms:
    """How far it goes, from which phase on, what it lets somebody do, and whose the account was shown to be."""

    level: str
    phase: str
    duties: frozenset[str]
    proof: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question; `until` is the last day (a number) on which it would be held."""

    principal: Principal
    thing: Thing
    place: Place
    terms: Terms
    until: int

    def request(self, reads: Reads) -> dict[str, object]:
        """The Cedar request, with what `reads` names."""
        context = {**_named(self.place, "context", reads), **_named(self.terms, "context", reads)}
        if not reads.isdisjoint({("context", "until"), ("context", "*")}):
            context["until"] = self.until
        return {
            "principal": {"type": "Person", "id": self.principal.id},
            "action": 'Action::"hold"',
            "resource": {"type": "Resource", "id": self.thing.id},
            "context": context,
        }

    def entities(self, reads: Reads) -> list[dict[str, object]]:
        """The two entities that the request speaks of, with what `reads` names."""
        of = (("Person", self.principal, "principal"), ("Resource", self.thing, "resource"))
        return [
            {"uid": {"type": kind, "id": part.id}, "attrs": _named(part, variable, reads), "parents": []}
            for kind, part, variable in of
        ]


def _named(part: Principal | Thing | Place | Terms, variable: str, reads: Reads) -> dict[str, object]:
    all_of_it = (variable, "*") in reads
    names = (name for name in part.__slots__ if name != "id" and (all_of_it or (variable, name) in reads))
    values = {name: getattr(part, name) for name in names}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def _all_of(variable: str, *parts: type[Principal | Thing | Place | Terms]) -> Iterator[tuple[str, str]]:
    return ((variable, field.name) for part in parts for field in fields(part) if field.name != "id")


#: Everything that may be read.
EVERYTHING: Reads = frozenset(
    {
        *_all_of("principal", Principal),
        *_all_of("resource", Thing),
        *_all_of("context", Place, Terms),
        ("context", "until"),
    }
)
#: What the first schema that was released has. Policies that bring it along load as before: their rules read no more.
_LATER = {"duties", "dpa", "location", "location_allowed", "on_call", "today", "until", "engagement_ends"}
AT_FIRST: Reads = frozenset((variable, name) for variable, name in EVERYTHING if name not in _LATER)


def duties_of(spec: ResourceSpec, level: str) -> frozenset[str]:
    """What a level lets somebody do; on a closed scale also what the levels below it do."""
    scale = scale_of(spec.resource)
    below = (name for name in spec.duties if name == level or (not scale.open and scale.rank(name) < scale.rank(level)))
    return frozenset(duty for name in below for duty in spec.duties[name])


def thing_of(spec: ResourceSpec, kind: str) -> Thing:
    """A resource as guardrails see it."""
    resource, classification = spec.resource, spec.classification
    return Thing(
        id=str(resource),
        system=resource.system,
        kind=kind,
        type=resource.type,
        owner=spec.owner,
        classification=classification.value,
        sensitivity=classification.rank,
        tags=spec.tags,
        exclusive=spec.exclusive,
    )


#: Asked once as guardrails load, to see that their schema describes what is asked.
PROBE = Question(
    Principal("", outsourced=True, vendors=frozenset({"v"}), holds=frozenset({"h"}), duties=frozenset({"d"})),
    Thing("s:t:n", "s", "k", "t", "o", "c", 0, frozenset({"t"}), exclusive=False),
    Place("r", "m", "e", 0, frozenset({"f"}), True, "DE", True, True, 1, 0),
    Terms("l", "p", frozenset({"d"}), "c"),
    1,
)
