"""Wanted grants against observations, person by person: what to change, and what can't be told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from onboard.engine.plan import Change, Missing, Unknown
from onboard.levels import FOUNDATIONS, scale_of
from onboard.model import Account, AccountState, Grant, Holding, HoldingState, Observation, Resource, Warrant

#: What we granted or may have granted, as the ledger has it: (person, account id, resource) → levels.
Owned = Mapping[tuple[str, str, Resource], frozenset[str]]


@dataclass(frozen=True)
class Subject:
    """A person in a plan: their accounts by system, whether they have left, and why what they lose is taken away.

    `former` are accounts that were bound before another one on the same system: nothing is granted to them. `missing`
    says by system why there is no account, `unclear` why it couldn't be told which one it is. `outsourced` says that
    they work, or worked, in a vendor's engagement.
    """

    person: str
    accounts: Mapping[str, Account]
    former: tuple[Account, ...] = ()
    leaving: bool = False
    outsourced: bool = True
    because: str = "no longer carried by the role, phase or dates"
    missing: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)

    @property
    def everything(self) -> tuple[Account, ...]:
        """Every account that is or was theirs."""
        return (*self.former, *self.accounts.values())

    def untellable(self, account: Account) -> str | None:
        """Why nothing can be said of an account: it may have come into being, but it couldn't be looked up."""
        return self.unclear.get(account.system) if account.external_id is None else None


@dataclass(frozen=True)
class Difference:
    """One person's changes, and what stands in the way of knowing or making more."""

    changes: tuple[Change, ...]
    unknown: tuple[Unknown, ...]
    missing: tuple[Missing, ...]


@dataclass(frozen=True)
class Sight:
    """What was observed of all systems, to be asked by account: one reading serves everybody."""

    observed: Mapping[str, Observation]

    def unknown(self, resource: Resource) -> str | None:
        """Why it can't be told who holds a resource; None where it can. A complete reading verifies what it omits."""
        observation = self.observed.get(resource.system)
        if observation is None:
            return f"{resource.system} is not configured"
        if observation.complete and observation.unknown is None and resource not in observation.readings:
            return None
        return observation.of(resource).unknown

    def held(self, account: Account) -> Mapping[Resource, list[Holding]]:
        """What an account was seen to hold, by whichever route."""
        return self._by_account.get((account.system, account.external_id), {})

    def met(self, account: Account) -> Account:
        """The account with the kind and state that it was seen in, where it was seen."""
        observation = self.observed.get(account.system)
        seen = observation.accounts.get(account.external_id) if observation and account.external_id else None
        return replace(account, kind=seen.kind, state=seen.state) if seen else account

    @cached_property
    def _by_account(self) -> Mapping[tuple[str, str | None], dict[Resource, list[Holding]]]:
        found: dict[tuple[str, str | None], dict[Resource, list[Holding]]] = {}
        for observation in self.observed.values():
            for resource, reading in observation.readings.items():
                for holding in reading.holdings:
                    theirs = found.setdefault((observation.system, holding.account), {})
                    theirs.setdefault(resource, []).append(holding)
        return found


def diff(
    subject: Subject,
    wanted: Iterable[Grant],
    sight: Sight,
    *,
    owned: Owned,
    exclusive: Callable[[Resource], bool],
) -> Difference:
    """What has to change for one person.

    A resource that couldn't be read justifies no change. Taken away is only what we own, what stands on an exclusive
    resource, and, from a person who leaves, everything that their accounts hold.
    """
    grants = tuple(wanted)
    changes: list[Change] = []
    unknown: list[Unknown] = [*_untold(subject, grants), *_unreadable(subject, sight)]
    for account in map(sight.met, subject.everything):
        due = _due(subject, account, grants)
        ours = {r: levels for (who, id_, r), levels in owned.items() if (who, id_) == (subject.person, account.id)}
        held = sight.held(account)
        for resource in sorted({*due, *ours, *held}):
            everything = subject.leaving or exclusive(resource)
            takes = _Taking(subject, account, resource, ours.get(resource, frozenset()), everything)
            reason = subject.untellable(account) or sight.unknown(resource)
            if reason is not None:
                unknown.append(Unknown(subject.person, resource, reason, takes.owes(due.get(resource, []))))
            else:
                mine = [holding for holding in held.get(resource, []) if holding.via == "direct"]
                changes += takes.changes(mine, due.get(resource, []))
    return Difference(tuple(changes), _once(unknown), _missing(subject, grants, sight))


def _due(subject: Subject, account: Account, grants: Iterable[Grant]) -> dict[Resource, list[Grant]]:
    """What this account should be given: nothing where another has taken its place, or where it is gone."""
    current = subject.accounts.get(account.system)
    due: dict[Resource, list[Grant]] = {}
    if current is not None and current.id == account.id and account.state is not AccountState.GONE:
        for grant in grants:
            if grant.resource.system == account.system:
                due.setdefault(grant.resource, []).append(grant)
    return due


def _untold(subject: Subject, grants: Iterable[Grant]) -> Iterator[Unknown]:
    """Where it couldn't be told which account is theirs: what is wanted there is unknown, and all that a leaver has."""
    nowhere = {system: why for system, why in subject.unclear.items() if system not in subject.accounts}
    for grant in grants:
        if grant.resource.system in nowhere:
            yield Unknown(subject.person, grant.resource, nowhere[grant.resource.system])
    for system, why in subject.unclear.items() if subject.leaving else ():
        yield Unknown(subject.person, Resource(system, "system", system), why)


def _unreadable(subject: Subject, sight: Sight) -> Iterator[Unknown]:
    """For a person who leaves: every part of their systems that couldn't be read may still hold something."""
    systems = {account.system for account in subject.everything} if subject.leaving else set()
    for system in sorted(systems & sight.observed.keys()):
        observation = sight.observed[system]
        if observation.unknown is not None:
            yield Unknown(subject.person, Resource(system, "system", system), observation.unknown)
        for resource, reading in observation.readings.items():
            if reading.unknown is not None:
                yield Unknown(subject.person, resource, reading.unknown)


def _once(unknown: Iterable[Unknown]) -> tuple[Unknown, ...]:
    """One line for each resource; it is owed if one of them is."""
    found: dict[Resource, Unknown] = {}
    for each in unknown:
        before = found.get(each.resource, each)
        found[each.resource] = replace(before, owed=before.owed or each.owed)
    return tuple(found.values())


def _missing(subject: Subject, grants: Iterable[Grant], sight: Sight) -> tuple[Missing, ...]:
    """The systems where something is wanted and there is no account to give it to."""
    reasons = {}
    for system in sorted({grant.resource.system for grant in grants} - subject.unclear.keys()):
        account = subject.accounts.get(system)
        if account is None:
            reasons[system] = subject.missing.get(system, "no account is bound")
        elif sight.met(account).state is AccountState.GONE:
            reasons[system] = "the account is deactivated or deleted there; have it made active again"
    return tuple(Missing(subject.person, system, reason) for system, reason in reasons.items())


@dataclass(frozen=True)
class _Taking:
    """One account on one resource: which of its levels may be taken, and the changes that follow."""

    subject: Subject
    account: Account
    resource: Resource
    owned: frozenset[str]
    everything: bool

    def owes(self, grants: list[Grant]) -> bool:
        """Whether something that we granted has to go, as far as can be told without reading."""
        wanted = {grant.level for grant in grants}
        scale = scale_of(self.resource)
        if scale.open or not wanted:
            return bool(self.owned - wanted)
        return any(scale.rank(level) > scale.rank(scale.join(wanted)) for level in self.owned)

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
            if (have and ours) or (lapsed and self._clearable):
                yield self._change(have or lapsed, None)
        elif scale.rank(target) > scale.rank(have):
            ways = {wanted[level].extra: level for level in sorted(wanted, key=scale.rank)}
            yield from (
                self._change(have, x, wanted[x].warrants) for x in ways.values() if scale.rank(x) > scale.rank(have)
            )
        elif ours and scale.rank(target) < scale.rank(have):
            yield self._change(have, target, wanted[target].warrants)

    @property
    def _clearable(self) -> bool:
        """Whether an invitation that nobody can accept any more is to be cleared away, if it is not wanted.

        GitHub lists those to the organisation for good and deletes none: there our own are tried once, and no others.
        """
        return bool(self.owned) or (self.everything and self.resource.type not in FOUNDATIONS)

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
