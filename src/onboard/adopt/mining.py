"""Role mining: from who holds what to few roles that say most of it. Pure.

Every person gets one role, so what is looked for is few sets of rights such that each person is covered by the largest
one that they hold whole. Candidates are intersections of people's rights (as FastMiner does it: Vaidya, Atluri, Warner
2006), each with some of the most common ones. They are taken greedily, whichever covers most that isn't covered yet:
coverage is submodular, so that is at least 1 - 1/e of what as many of these candidates could cover.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparison

#: How many people's rights each person's are compared with, and how many candidates are weighed.
ANCHORS = 100
POOL = 1000


T = TypeVar("T", bound="SupportsRichComparison")


@dataclass(frozen=True, slots=True)
class Cluster(Generic[T]):
    """People for one role, sorted, and all the rights that every one of them holds."""

    rights: frozenset[T]
    people: tuple[str, ...]


def mine(holdings: Mapping[str, Collection[T]], at_least: int) -> tuple[Cluster[T], ...]:
    """Roles for those people, the one with most people first; each is for `at_least` of them (2 or more).

    The same holdings give the same roles, in whatever order they come. A role is only made where it covers more rights
    than it has lines. Nobody is in two; who shares too little with others is in none.
    """
    people = sorted(holdings)
    rights = sorted({right for held in holdings.values() for right in held})
    table = _Table.of([holdings[person] for person in people], rights)
    found = [_named(table, group, people, rights) for group in table.groups(_chosen(table, at_least), at_least)]
    return tuple(sorted(found, key=lambda cluster: (-len(cluster.people), cluster.people)))


@dataclass
class _Table:
    """Who holds what, as bits: `profiles` by person (bits are rights), `rows` by right (bits are people).

    `covered` are the people by how many of their rights the roles taken so far give them.
    """

    profiles: Sequence[int]
    rows: Sequence[int]
    covered: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, held: Sequence[Collection[T]], rights: Sequence[T]) -> _Table:
        index = {right: number for number, right in enumerate(rights)}
        rows = [0] * len(rights)
        profiles = []
        for person, theirs in enumerate(held):
            numbers = [index[right] for right in theirs]
            for number in numbers:
                rows[number] |= 1 << person
            profiles.append(sum(1 << number for number in set(numbers)))
        return cls(profiles, rows, {0: (1 << len(held)) - 1})

    def holders(self, role: int) -> int:
        """Everybody who holds all of it."""
        found = (1 << len(self.profiles)) - 1
        for number in _bits(role):
            found &= self.rows[number]
        return found

    def gain(self, size: int, holders: int) -> int:
        """How many rights more would be covered by a role of that size for these people."""
        return sum((size - level) * (holders & who).bit_count() for level, who in self.covered.items() if level < size)

    def take(self, size: int, holders: int) -> None:
        """Cover these people by a role of that size, but for who has a larger one."""
        for level in [level for level in self.covered if level < size]:
            moved = self.covered[level] & holders
            self.covered[level] ^= moved
            self.covered[size] = self.covered.get(size, 0) | moved

    def groups(self, roles: Iterable[int], at_least: int) -> list[int]:
        """Everybody with the largest of these roles that they hold, as sets of people; small ones are given up."""
        ordered = sorted(roles, key=lambda role: (-role.bit_count(), role))
        while True:
            left, groups = (1 << len(self.profiles)) - 1, []
            for role in ordered:
                groups.append(self.holders(role) & left)
                left &= ~groups[-1]
            sizes = [group.bit_count() for group in groups]
            if not sizes or min(sizes) >= at_least:
                return groups
            del ordered[sizes.index(min(sizes))]

    def shared(self, group: int) -> int:
        """All the rights that every one of these people holds."""
        return sum(1 << number for number, row in enumerate(self.rows) if row & group == group)


def _chosen(table: _Table, at_least: int) -> list[int]:
    """The roles to make: taken from everybody's rights, then again from those of whoever is left over."""
    chosen: list[int] = []
    left = set(range(len(table.profiles)))
    while left:
        taken = _greedy(table, _candidates([table.profiles[person] for person in sorted(left)]), at_least)
        if not taken:
            break
        chosen += taken
        left = set(_bits(table.covered.get(0, 0)))
    return chosen


def _candidates(profiles: Iterable[int]) -> list[int]:
    """Sets of rights that several people may share, those that promise most."""
    common = Counter(profile for profile in profiles if profile)
    ordered = sorted(common, key=lambda profile: (-common[profile], -profile.bit_count(), profile))
    seen: Counter[int] = Counter()
    for anchor in ordered[:: max(1, len(ordered) // ANCHORS)]:
        for profile, count in common.items():
            seen[anchor & profile] += count
    seen.update({profile: common[profile] for profile in ordered[:ANCHORS]})
    del seen[0]
    return sorted(seen, key=lambda role: (-seen[role] * role.bit_count(), role))[:POOL]


def _greedy(table: _Table, candidates: Iterable[int], at_least: int) -> list[int]:
    """Whichever covers most that isn't covered, again and again, while it covers more than it has lines.

    What a candidate gains never grows, so one whose gain is still the highest when counted anew is the best.
    """
    sized = ((role, role.bit_count(), table.holders(role)) for role in candidates)
    heap = [(-table.gain(size, who), role, size, who) for role, size, who in sized if who.bit_count() >= at_least]
    heapq.heapify(heap)
    taken = []
    while heap:
        _, role, size, who = heapq.heappop(heap)
        gain = table.gain(size, who)
        if gain <= size:
            continue
        if heap and (-gain, role) > heap[0][:2]:
            heapq.heappush(heap, (-gain, role, size, who))
            continue
        table.take(size, who)
        taken.append(role)
    return taken


def _named(table: _Table, group: int, people: Sequence[str], rights: Sequence[T]) -> Cluster[T]:
    shared = frozenset(rights[number] for number in _bits(table.shared(group)))
    return Cluster(shared, tuple(people[number] for number in _bits(group)))


def _bits(number: int) -> Iterator[int]:
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low
