"""Asking guardrails about many grants: questions that are alike in all that a rule reads are asked once.

Rules that read the same attributes make a group. A group's answer is kept by the values of just these attributes, so a
rule about levels is asked once for each level, however many people there are, and one about everything that somebody
holds once for each person.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TypeVar

from onboard.policy.rules.cedar import Group, Guardrails, Rule
from onboard.policy.rules.question import Place, Principal, Question, Terms, Thing

#: The rules that forbid something, each with why it could not be evaluated, else an empty text.
Forbidding = tuple[tuple[Rule, str], ...]
Key = tuple[object, ...]
_Part = TypeVar("_Part", Principal, Thing, Place, Terms)


@dataclass(frozen=True, slots=True)
class Who:
    """A person in an assignment. `alike` is the same number for all of whom everything that rules read is the same."""

    principal: Principal
    place: Place
    keys: tuple[Key, ...]
    alike: int


@dataclass(frozen=True, slots=True)
class What:
    """A level on a resource; `alike` as for `Who`."""

    thing: Thing
    terms: Terms
    keys: tuple[Key, ...]
    alike: int


@dataclass(frozen=True, slots=True)
class _Keeper:
    """A group, how the parts of its keys are picked, and the answers so far."""

    group: Group
    principal: Callable[[Principal], Key]
    thing: Callable[[Thing], Key]
    place: Callable[[Place], Key]
    terms: Callable[[Terms], Key]
    timed: bool
    answers: dict[Key, Forbidding]


class Judge:
    """Guardrails with the answers that they have given so far."""

    def __init__(self, guardrails: Guardrails) -> None:
        self._keepers = [_keeper(group) for group in guardrails.groups]
        self._timed = [number for number, keeper in enumerate(self._keepers) if keeper.timed]
        self._timeless = [number for number, keeper in enumerate(self._keepers) if not keeper.timed]
        self._alike: dict[tuple[Key, ...], int] = {}
        self._settled: dict[tuple[int, int], Forbidding] = {}

    def who(self, principal: Principal, place: Place) -> Who:
        """Somebody to ask about, as often as needed."""
        keys = tuple((*k.principal(principal), *k.place(place)) for k in self._keepers)
        return Who(principal, place, keys, self._number(keys))

    def what(self, thing: Thing, terms: Terms) -> What:
        """Something to ask about, as often as needed."""
        keys = tuple((*k.thing(thing), *k.terms(terms)) for k in self._keepers)
        return What(thing, terms, keys, self._number(keys))

    def _number(self, keys: tuple[Key, ...]) -> int:
        return self._alike.setdefault(keys, len(self._alike))

    def forbidding(self, who: Who, what: What, until: int) -> Forbidding:
        """The rules that forbid this person this, held until that day."""
        pair = (who.alike, what.alike)
        found = self._settled.get(pair)
        if found is None:
            answers = (self._answer(number, who, what, until) for number in self._timeless)
            found = self._settled[pair] = tuple(rule for answer in answers for rule in answer)
        for number in self._timed:
            found += self._answer(number, who, what, until)
        return found

    def _answer(self, number: int, who: Who, what: What, until: int) -> Forbidding:
        keeper = self._keepers[number]
        key = (who.keys[number], what.keys[number], until if keeper.timed else None)
        answer = keeper.answers.get(key)
        if answer is None:
            question = Question(who.principal, what.thing, who.place, what.terms, until)
            answer = keeper.answers[key] = keeper.group.forbidding(question)
        return answer

    @property
    def asked(self) -> int:
        """How many questions Cedar had to answer."""
        return sum(len(keeper.answers) for keeper in self._keepers)


def _keeper(group: Group) -> _Keeper:
    of = {variable: {name for where, name in group.reads if where == variable} for variable, _ in group.reads}
    principal, thing, context = (of.get(variable, set()) for variable in ("principal", "resource", "context"))
    return _Keeper(
        group,
        _picker(Principal, principal),
        _picker(Thing, thing),
        _picker(Place, context),
        _picker(Terms, context),
        timed=bool(context & {"until", "*"}),
        answers={},
    )


def _picker(part: type[_Part], names: Collection[str]) -> Callable[[_Part], Key]:
    """What takes these attributes out of a part, those that it has."""
    picked = [field.name for field in fields(part) if field.name in names or "*" in names]
    if not picked:
        return lambda _: ()
    get = attrgetter(*picked)
    return get if len(picked) > 1 else lambda value: (get(value),)
