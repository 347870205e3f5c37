"""Wanted grants against observations, person by person: what to change, and what can't be told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from onboard.engine.plan import Change, Missing, Unknown
from onboard.model import Account, Grant, Holding, HoldingState, Observation, Resource, Warrant, scale_of

#: What we granted or may have granted, as the ledger has it: (person, account id, resource) → levels.
Owned = Mapping[tuple[str, str, Resource], frozenset[str]]


@dataclass(frozen=True)
class Subject:
    """A person in a plan: their accounts by system, whether they have left, and why what they lose is taken away.

    `outsourced` says that they work, or worked, in a vendor's engagement.
    """

    person: str
    accounts: Mapping[str, Account]
    leaving: bool = False
    outsourced: bool = True
    because: str = "no longer carried by the role, phase or dates"
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One person's changes, and what stands in the way of knowing or making more."""

    changes: tuple[Change, ...]
    unknown: tuple[Unknown, ...]
    missing: tuple[Missing, ...]


def diff(
    subject: Subject,
    wanted: Iterable[Grant],
    observed: Mapping[str, Observation],
    *,
    owned: Owned,
    exclusive: Callable[[Resource], bool],
) -> Difference:
    """What has to change for one person.

    A resource that couldn't be read justifies no change. Taken away is only what we own, what stands on an exclusive
    resource, and, from a person who leaves, everything that their accounts hold.
    """
    grants: dict[Resource, list[Grant]] = {}
    for grant in wanted:
        grants.setdefault(grant.resource, []).append(grant)
    ours = {resource for person, _, resource in owned if person == subject.person}
    changes: list[Change] = []
    unknown: list[Unknown] = []
    for resource in sorted({*grants, *ours, *_held(subject, observed)}):
        account = subject.accounts.get(resource.system)
        if account is None:
            continue
        reading = reading_of(observed, resource)
        if isinstance(reading, str):
            unknown.append(Unknown(subject.person, resource, reading))
            continue
        mine = [h for h in reading if h.account == account.external_id and h.via == "direct"]
        levels = owned.get((subject.person, account.id, resource), frozenset())
        takes = _Taking(subject, account, resource, levels, everything=subject.leaving or exclusive(resource))
        changes += takes.changes(mine, grants.get(resource, []))
    unknown += _unreadable(subject, observed)
    return Difference(tuple(changes), tuple(unknown), _missing(subject, grants))


def reading_of(observed: Mapping[str, Observation], resource: Resource) -> tuple[Holding, ...] | str:
    """The holdings on a resource, or why they are unknown. A complete reading verifies the absence of what it omits."""
    observation = observed.get(resource.system)
    if observation is None:
        return f"{resource.system} is not configured"
    if observation.complete and observation.unknown is None and resource not in observation.readings:
        return ()
    reading = observation.of(resource)
    return reading.holdings if reading.unknown is None else reading.unknown


def _held(subject: Subject, observed: Mapping[str, Observation]) -> Iterator[Resource]:
    """Every resource on which one of the person's accounts was seen to hold something."""
    for system, account in subject.accounts.items():
        observation = observed.get(system)
        for resource, reading in observation.readings.items() if observation else ():
            if any(holding.account == account.external_id for holding in reading.holdings):
                yield resource


def _unreadable(subject: Subject, observed: Mapping[str, Observation]) -> Iterator[Unknown]:
    """For a person who leaves: every part of their systems that couldn't be read may still hold something."""
    if not subject.leaving:
        return
    for system in subject.accounts:
        observation = observed.get(system)
        if observation is None or observation.unknown is not None:
            reason = observation.unknown if observation and observation.unknown else "it is not configured"
            yield Unknown(subject.person, Resource(system, "system", system), reason)
            continue
        for resource, reading in observation.readings.items():
            if reading.unknown is not None:
                yield Unknown(subject.person, resource, reading.unknown)


def _missing(subject: Subject, grants: Mapping[Resource, list[Grant]]) -> tuple[Missing, ...]:
    systems = sorted({resource.system for resource in grants} - set(subject.accounts))
    return tuple(Missing(subject.person, s, subject.missing.get(s, "no account is bound")) for s in systems)


@dataclass(frozen=True)
class _Taking:
    """One account on one resource: which of its levels may be taken, and the changes that follow."""

    subject: Subject
    account: Account
    resource: Resource
    owned: frozenset[str]
    everything: bool

    def changes(self, held: list[Holding], grants: list[Grant]) -> Iterator[Change]:
        wanted = {grant.level: grant for grant in grants}
        if scale_of(self.resource).open:
            yield from self._each_level(held, wanted)
        else:
            yield from self._one_level(held, wanted)

    def _each_level(self, held: list[Holding], wanted: Mapping[str, Grant]) -> Iterator[Change]:
        live = {holding.level for holding in held if holding.state is not HoldingState.EXPIRED}
        for holding in held:
            if holding.level not in wanted and (self.everything or holding.level in self.owned):
                yield self._change(holding.level, None)
        for level, grant in wanted.items():
            if level not in live:
                yield self._change(None, level, grant.warrants)

    def _one_level(self, held: list[Holding], wanted: Mapping[str, Grant]) -> Iterator[Change]:
        scale = scale_of(self.resource)
        target = scale.join(wanted) if wanted else None
        live = [holding.level for holding in held if holding.state is not HoldingState.EXPIRED]
        have = scale.join(live) if live else None
        lapsed = held[0].level if held and not live else None
        ours = self.everything or bool(self.owned)
        if target is None:
            if (have or lapsed) and ours:
                yield self._change(have or lapsed, None)
        elif scale.rank(target) > scale.rank(have):
            yield self._change(have, target, wanted[target].warrants)
        elif scale.rank(target) < scale.rank(have) and ours:
            yield self._change(have, target, wanted[target].warrants)

    def _change(self, before: str | None, after: str | None, warrants: tuple[Warrant, ...] = ()) -> Change:
        change = Change(self.subject.person, self.account, self.resource, before, after, warrants=warrants)
        if not change.removes:
            return change
        because = self.subject.because
        if after is not None:
            because = f"held above what policy gives ({after})"
        elif not self.owned and not self.subject.leaving:
            because = "granted outside onboard on an exclusive resource"
        return Change(self.subject.person, self.account, self.resource, before, after, because, warrants)
