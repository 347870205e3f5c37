"""What guardrails are asked: may this person hold this level on this resource, in the state that a change would leave?

Each part's attributes bear the names that Cedar's schema gives them. Place and Terms together are its context.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date

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

    def request(self, without: Collection[str] = ()) -> dict[str, object]:
        """The Cedar request, without these attributes."""
        context = {**_attributes(self.place), **_attributes(self.terms), "until": self.until}
        return {
            "principal": {"type": "Person", "id": self.principal.id},
            "action": 'Action::"hold"',
            "resource": {"type": "Resource", "id": self.thing.id},
            "context": {name: value for name, value in context.items() if name not in without},
        }

    def entities(self, without: Collection[str] = ()) -> list[dict[str, object]]:
        """The two entities that the request speaks of, without these attributes."""
        without = {"id", *without}
        return [
            {"uid": {"type": kind, "id": part.id}, "attrs": _attributes(part, without), "parents": []}
            for kind, part in (("Person", self.principal), ("Resource", self.thing))
        ]


def _attributes(part: Principal | Thing | Place | Terms, without: Collection[str] = ()) -> dict[str, object]:
    values = {field.name: getattr(part, field.name) for field in fields(part) if field.name not in without}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


#: What the first schema that was released doesn't have. Policies that bring it along load as before, and can be asked:
#: their rules read none of these.
SINCE_THE_FIRST = frozenset(
    {"duties", "dpa", "location", "location_allowed", "on_call", "today", "until", "engagement_ends"}
)

#: Asked once as guardrails load, to see that their schema describes what is asked.
PROBE = Question(
    Principal("", outsourced=True, vendors=frozenset({"v"}), holds=frozenset({"h"}), duties=frozenset({"d"})),
    Thing("s:t:n", "s", "k", "t", "o", "c", 0, frozenset({"t"}), exclusive=False),
    Place("r", "m", "e", 0, frozenset({"f"}), True, "DE", True, True, 1, 0),
    Terms("l", "p", frozenset({"d"}), "c"),
    1,
)
