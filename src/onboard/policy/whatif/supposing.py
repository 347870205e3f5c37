"""The register as it would be, had one thing or several happened to one person besides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from onboard.extras import Extra
from onboard.model import Assignment, Engagement, Fact, Vendor
from onboard.policy.desired import RegisterView


@dataclass(frozen=True)
class Supposed:
    """A register in which one person's facts are these. About everybody else it says what the true one says."""

    true: RegisterView
    person: str
    engagements: Mapping[str, Engagement]
    vendors: Mapping[str, Vendor]
    works: tuple[Assignment, ...]
    held: Mapping[str, Fact]
    reached: Mapping[str, Mapping[str, Fact]]
    begun: Mapping[str, Fact | None]
    gone: Mapping[str, Fact | None]
    proofs: Mapping[str, str]

    @classmethod
    def of(cls, register: RegisterView, person: str) -> Supposed:
        """The register as it is."""
        works = register.assignments(person)
        names = [work.engagement for work in works]
        return cls(
            register,
            person,
            dict(register.engagements),
            dict(register.vendors),
            works,
            dict(register.facts(person)),
            {name: dict(register.milestones(person, name)) for name in names},
            {name: register.started(person, name) for name in names},
            {person: register.left(person)},
            {},
        )

    def assignments(self, person: str) -> tuple[Assignment, ...]:
        """Theirs, as supposed."""
        return self.works if person == self.person else self.true.assignments(person)

    def facts(self, person: str) -> Mapping[str, Fact]:
        """Theirs, as supposed."""
        return self.held if person == self.person else self.true.facts(person)

    def milestones(self, person: str, engagement: str) -> Mapping[str, Fact]:
        """Theirs, as supposed."""
        if person != self.person:
            return self.true.milestones(person, engagement)
        return self.reached.get(engagement, {})

    def started(self, person: str, engagement: str) -> Fact | None:
        """Theirs, as supposed."""
        return self.begun.get(engagement) if person == self.person else self.true.started(person, engagement)

    def left(self, person: str) -> Fact | None:
        """Theirs, as supposed; a sponsor may be supposed to have left as well."""
        return self.gone[person] if person in self.gone else self.true.left(person)

    def proof(self, person: str, system: str) -> str:
        """Theirs, as supposed."""
        supposed = self.proofs.get(system) if person == self.person else None
        return supposed or self.true.proof(person, system)

    def extras(self, person: str) -> tuple[Extra, ...]:
        """As they are: what is beside a role is never supposed."""
        return self.true.extras(person)


@dataclass(frozen=True, slots=True)
class Move:
    """Something that could happen: in words, and what it would make of the register.

    Two moves `about` the same thing exclude each other. Those of a lower `rank` are supposed first.
    """

    words: str
    about: tuple[str, ...]
    make: Callable[[Supposed], Supposed]
    rank: int = 1


def suppose(register: Supposed, moves: Iterable[Move]) -> Supposed:
    """The register, had all of these happened."""
    for move in sorted(moves, key=lambda move: move.rank):
        register = move.make(register)
    return register


def with_work(name: str, change: Callable[[Assignment], Assignment], register: Supposed) -> Supposed:
    """The assignment to this engagement changed."""
    return replace(register, works=tuple(change(w) if w.engagement == name else w for w in register.works))


def with_fact(name: str, fact: Fact | None, register: Supposed) -> Supposed:
    """A prerequisite recorded anew, or lapsed."""
    others = {key: value for key, value in register.held.items() if key != name}
    return replace(register, held=others if fact is None else {**others, name: fact})


def with_milestone(engagement: str, fact: Fact, register: Supposed) -> Supposed:
    """A milestone reached."""
    theirs = {**register.reached.get(engagement, {}), fact.name: fact}
    return replace(register, reached={**register.reached, engagement: theirs})


def with_role(engagement: str, role: str, register: Supposed) -> Supposed:
    """Another role, which begins without milestones."""
    changed = replace(register, reached={**register.reached, engagement: {}})
    return with_work(engagement, lambda work: replace(work, role=role), changed)


def with_engagement(name: str, change: Callable[[Engagement], Engagement], register: Supposed) -> Supposed:
    """The engagement's manifest changed."""
    return replace(register, engagements={**register.engagements, name: change(register.engagements[name])})


def with_vendor(name: str, change: Callable[[Vendor], Vendor], register: Supposed) -> Supposed:
    """The vendor's contract changed."""
    return replace(register, vendors={**register.vendors, name: change(register.vendors[name])})


def with_departure(person: str, fact: Fact | None, register: Supposed) -> Supposed:
    """Somebody left; or, without a fact, is here."""
    return replace(register, gone={**register.gone, person: fact})
