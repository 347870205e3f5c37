"""The shortest lists of facts that would change an answer: what would give somebody more, and what would end it.

Found by supposing: `desired` and `check` themselves are asked about registers in which something else happened besides,
the fewest things first. So this can't differ from the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations, islice

from onboard.model import Grant, Phase, Resource
from onboard.policy.catalogue import Policy
from onboard.policy.desired import RegisterView, desired
from onboard.policy.rules.guardrails import check
from onboard.policy.whatif.moves import endings, openings, other_roles
from onboard.policy.whatif.supposing import Move, Supposed, suppose

#: How many things are supposed together at most, while every combination is tried, and how many combinations.
TOGETHER = 3
BOUND = 4000

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """What would have to happen for a level: each list is enough by itself. None where nothing here would do."""

    level: str
    lists: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class End:
    """What would take a level away, and what would be left of it."""

    facts: Words
    level: str
    left: str | None


@dataclass(frozen=True, slots=True)
class Answers:
    """What would change what somebody is given on a resource."""

    ways: tuple[Way, ...]
    ends: tuple[End, ...]


def counterfactuals(policy: Policy, register: RegisterView, person: str, resource: Resource, today: date) -> Answers:
    """What would give a person more of a resource than policy does today, and what would end what it gives."""
    if resource not in policy.resources:
        return Answers((), ())
    asked = _Asked(policy, Supposed.of(register, person), resource, today)
    return Answers(tuple(asked.ways()), tuple(asked.ends()))


@dataclass(frozen=True)
class _Asked:
    """One person and resource, to be asked about again and again."""

    policy: Policy
    register: Supposed
    resource: Resource
    today: date

    def ways(self) -> Iterable[Way]:
        """The shortest ways to each level that the person's roles carry and they can't have; else to that of others."""
        own = list(openings(self.policy, self.register, self.resource, self.today))
        others = list(other_roles(self.policy, self.register, self.resource))
        for level in self._levels({work.role for work in self.register.works}):
            if not self._may_have(level, self.register):
                yield Way(level, self._lists(own, level) or self._lists([*own, *others], level))
        if not self._levels({work.role for work in self.register.works}):
            for level in self._levels(set(self.policy.roles))[:1]:
                yield Way(level, self._lists([*own, *others], level))

    def ends(self) -> Iterable[End]:
        """Each thing that would end or lower what is given, alone; or two together, where one alone ends nothing."""
        given = tuple(grant for grant in self._grants(self.register) if grant.resource == self.resource)
        moves = list(endings(self.register, given, self.today))
        for grant in given:
            one = [self._end(grant.level, (move,)) for move in moves]
            found = [end for end in one if end is not None]
            two = (self._end(grant.level, pair) for pair in combinations(moves, 2) if _apart(pair))
            yield from found or islice((end for end in two if end is not None and end.left is None), BOUND)

    def _end(self, level: str, moves: Sequence[Move]) -> End | None:
        changed = suppose(self.register, moves)
        if self._given(level, changed):
            return None
        scale = self.policy.scale(self.resource)
        left = [g.level for g in self._grants(changed) if g.resource == self.resource]
        return End(tuple(m.words for m in moves), level, scale.join(left) if left and not scale.open else None)

    def _levels(self, roles: Iterable[str]) -> list[str]:
        """The levels that these roles carry on the resource, the lowest first."""
        known = (self.policy.roles[name] for name in roles if name in self.policy.roles)
        levels = {line.level for role in known for line in role.entitlements if line.resource == self.resource}
        return sorted(levels, key=lambda level: (self.policy.scale(self.resource).rank(level), level))

    def _lists(self, moves: Sequence[Move], level: str) -> tuple[Words, ...]:
        def enough(chosen: Sequence[Move]) -> bool:
            return self._may_have(level, suppose(self.register, chosen))

        return tuple(tuple(move.words for move in chosen) for chosen in _earliest(shortest(moves, enough)))

    def _grants(self, register: Supposed) -> tuple[Grant, ...]:
        return desired(self.policy, register, [register.person], self.today)

    def _given(self, level: str, register: Supposed) -> bool:
        scale = self.policy.scale(self.resource)
        levels = [grant.level for grant in self._grants(register) if grant.resource == self.resource]
        return any(scale.includes(one, level) for one in levels)

    def _may_have(self, level: str, register: Supposed) -> bool:
        """Whether policy gives it, and no guardrail stands against what the person would hold then."""
        grants = self._grants(register)
        return self._given(level, register) and not check(self.policy, grants, register, self.today)


def shortest(moves: Sequence[Move], enough: Callable[[Sequence[Move]], bool]) -> tuple[tuple[Move, ...], ...]:
    """The lists that are enough and of which none is shorter; where it takes many, one that can do without none."""
    tried = 0
    for size in range(1, TOGETHER + 1):
        combined = [chosen for chosen in islice(combinations(moves, size), BOUND) if _apart(chosen)]
        tried += len(combined)
        found = tuple(chosen for chosen in combined if enough(chosen))
        if found or tried > BOUND:
            return found
    return tuple(_reduced(moves, enough))


def _earliest(lists: Iterable[Sequence[Move]]) -> Iterable[Sequence[Move]]:
    """Of lists that differ only in which phase is reached, the one with the earliest, which comes first."""
    found: dict[tuple[object, ...], Sequence[Move]] = {}
    for chosen in lists:
        found.setdefault(tuple(m.about if m.about[0] == "phase" else m.words for m in chosen), chosen)
    return found.values()


def _apart(moves: Iterable[Move]) -> bool:
    """Whether no two of these are about the same thing."""
    about = [move.about for move in moves]
    return len(set(about)) == len(about)


def _reduced(moves: Sequence[Move], enough: Callable[[Sequence[Move]], bool]) -> Iterator[tuple[Move, ...]]:
    """Everything at once, with the earliest phase that will do, then one thing after the other left out."""
    fitting = (left for place in range(len(Phase)) if enough(left := _one_of_each(moves, place)))
    for left in islice(fitting, 1):
        for move in tuple(left):
            fewer = tuple(other for other in left if other is not move)
            left = fewer if enough(fewer) else left
        yield left


def _one_of_each(moves: Sequence[Move], place: int) -> tuple[Move, ...]:
    """One move about each thing: the first, of several phases the one in this place."""
    by_thing: dict[tuple[str, ...], list[Move]] = {}
    for move in moves:
        by_thing.setdefault(move.about, []).append(move)
    return tuple(those[min(place, len(those) - 1) if thing[0] == "phase" else 0] for thing, those in by_thing.items())
