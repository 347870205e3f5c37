"""What is left of somebody's access once everything was taken: read again by every route, and told as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from onboard.connectors.base import OWN_ACCOUNT, Residue, Unverifiable, Writer
from onboard.connectors.pacing import urgent
from onboard.engine.diff import Sight, Subject
from onboard.engine.parallel import each
from onboard.engine.settle import READ_BACK
from onboard.errors import SystemFailed, SystemRefused
from onboard.ledger import Register, records
from onboard.ledger.records import ChangeRecord, Result
from onboard.lifecycle.company import outsourced
from onboard.lifecycle.standing import note, protected_by, register_of
from onboard.model import Account, AccountState, Actor, Holding, Kind, Observation, Receipt
from onboard.wiring import Services

#: How many people are looked at one by one. Of more, one reading of each system tells whom to look at.
FEW = 3
#: Under what name the journal keeps what was taken besides the plan.
DIGEST = records.LEFT_OVER
#: What the rest of an account hangs on: where it is there to be taken, it is enough.
_WHOLE = frozenset({"workspace", "account"})
#: Where a cut-off ends the account itself, so that one that still lives stands out.
_ENDED = {Kind.SLACK: AccountState.GONE, Kind.VAULT: AccountState.SUSPENDED}


@dataclass(frozen=True, slots=True)
class Left:
    """One account of a person's, read again."""

    person: str
    account: Account
    residue: Residue

    @property
    def remaining(self) -> tuple[Holding, ...]:
        """What is held, without what only follows from something else that is, and without what isn't ours to end."""
        held = [holding for holding in self.residue.remaining if holding.via != OWN_ACCOUNT]
        direct = tuple(holding for holding in held if holding.via == "direct")
        return direct or tuple(held)

    @property
    def roots(self) -> tuple[Holding, ...]:
        """Of these what all the rest hangs on, the account itself, where that is among them."""
        return tuple(holding for holding in self.remaining if holding.resource.type in _WHOLE) or self.remaining

    @property
    def gone(self) -> int:
        """How many routes were read completely and have nothing of the account's."""
        return max(0, len(self.residue.routes) - len({holding.resource.type for holding in self.remaining}))

    @property
    def dead(self) -> bool:
        """Whether every route could be read and nothing is held on any."""
        return not self.remaining and not self.residue.unknown


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that only the second look found, and what came of taking it away; `refused` where that can't be."""

    account: Account
    holding: Holding
    failure: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Blind:
    """A kind of access on a system that can't be verified, of how many people, and how long it lives at most."""

    system: str
    what: str
    reason: str
    people: int
    longest: timedelta | None


@dataclass(frozen=True, slots=True)
class Remains:
    """Every account of those who left, read again, and what was taken on the way."""

    accounts: tuple[Left, ...] = ()
    taken: tuple[Taken, ...] = ()

    @property
    def dead(self) -> bool:
        """Whether nothing is left anywhere, and everything could be read."""
        return all(left.dead for left in self.accounts)

    @property
    def gone(self) -> int:
        """How many routes are verified gone."""
        return sum(left.gone for left in self.accounts)

    @property
    def unknown(self) -> tuple[tuple[Left, str, str], ...]:
        """The routes that couldn't be read: the account, the route and the reason."""
        return tuple((left, route, why) for left in self.accounts for route, why in left.residue.unknown)

    @property
    def kept(self) -> tuple[Taken, ...]:
        """What was to be taken, and the system still shows."""
        still = {(left.account.id, holding.resource) for left in self.accounts for holding in left.remaining}
        return tuple(taken for taken in self.taken if (taken.account.id, taken.holding.resource) in still)

    @property
    def failed(self) -> tuple[Taken, ...]:
        """What another try might take away."""
        return tuple(taken for taken in self.kept if taken.failure and not taken.refused)

    @property
    def lingering(self) -> tuple[Taken, ...]:
        """What the system said was taken, and still shows."""
        return tuple(taken for taken in self.kept if not taken.failure)

    @property
    def blind(self) -> tuple[Blind, ...]:
        """What can't be verified, each kind once for all people, with the longest that any of it may live."""
        found: dict[tuple[str, str], list[tuple[str, Unverifiable]]] = {}
        for left in self.accounts:
            for each_ in left.residue.unverifiable:
                found.setdefault((left.account.system, each_.what), []).append((left.person, each_))
        return tuple(
            Blind(system, what, lines[0][1].reason, len({person for person, _ in lines}), _longest(lines))
            for (system, what), lines in sorted(found.items())
        )


def _longest(lines: Iterable[tuple[str, Unverifiable]]) -> timedelta | None:
    ends = [each_.longest for _, each_ in lines]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def look_again(
    services: Services,
    register: Register,
    subjects: Sequence[Subject],
    observed: Mapping[str, Observation],
    suspect: Collection[str],
    actor: Actor,
) -> Remains:
    """Read every account of these people again, and take what hangs on an account and no plan shows.

    Up to FEW people are read by every route, account by account. Of more, `observed` tells, the reading that their
    plans were verified by; read by every route are then those of `suspect` and those who still hold something there,
    and of each system one account, which tells what can't be verified.
    """
    accounts = [(subject, account) for subject in subjects for account in subject.everything]
    alone = len(subjects) <= FEW
    sight = Sight(observed)
    chosen = accounts if alone else _standing_out(services, accounts, sight, suspect)
    read = dict(zip((a.id for _, a in chosen), _residues(services, [a for _, a in chosen]), strict=True))
    told = {a.system: read[a.id].unverifiable for _, a in reversed(chosen)}
    lefts = tuple(
        Left(s.person, a, read.get(a.id) or _shared(observed[a.system], sight, a, told.get(a.system, ())))
        for s, a in accounts
    )
    taken = _take(services, register, lefts, sight, actor)
    if taken:
        again = {t.account.id: t.account for t in taken}
        read |= dict(zip(again, _residues(services, list(again.values())), strict=True))
        lefts = tuple(replace(left, residue=read.get(left.account.id, left.residue)) for left in lefts)
    _settle(services, [left for left in lefts if left.account.id in read], actor)
    return Remains(lefts, taken)


def _settle(services: Services, lefts: Iterable[Left], actor: Actor) -> None:
    """Give what was begun here and never answered its outcome, now that every route was read."""
    known = {left.account.id: left.residue for left in lefts if not left.residue.unknown}
    for intent in register_of(services).unresolved():
        if intent.digest == DIGEST and (residue := known.get(intent.change.account)):
            gone = intent.change.resource not in {holding.resource for holding in residue.remaining}
            receipt = Receipt(READ_BACK, services.clock()) if gone else None
            note(services, records.outcome(intent.seq, Result.DONE if gone else Result.FAILED, receipt), actor)


def read_again(services: Services, subject: Subject, system: str) -> tuple[Left, ...]:
    """A person's accounts on one system, read by every route. Takes nothing."""
    accounts = [account for account in subject.everything if account.system == system]
    residues = _residues(services, accounts)
    return tuple(Left(subject.person, a, residue) for a, residue in zip(accounts, residues, strict=True))


def _residues(services: Services, accounts: Sequence[Account]) -> list[Residue]:
    return each(lambda account: _residue(services, account), accounts)


def _residue(services: Services, account: Account) -> Residue:
    reader = services.readers.get(account.system)
    if reader is None:
        return Residue(services.clock(), (), unknown=(("everything", "the system is no longer configured"),))
    return reader.residue(account)


def _standing_out(
    services: Services, accounts: Sequence[tuple[Subject, Account]], sight: Sight, suspect: Collection[str]
) -> list[tuple[Subject, Account]]:
    """Those of whom the shared reading doesn't say that all is gone, and of each system one account more."""
    first: dict[str, str] = {}
    for _, account in accounts:
        first.setdefault(account.system, account.id)
    return [
        (subject, account)
        for subject, account in accounts
        if account.id in suspect
        or first[account.system] == account.id
        or account.system not in sight.observed
        or sight.held(account)
        or _lives(services, sight, account)
    ]


def _lives(services: Services, sight: Sight, account: Account) -> bool:
    """Whether an account that a cut-off would have ended was seen alive."""
    reader, observation = services.readers.get(account.system), sight.observed[account.system]
    seen = observation.accounts.get(account.external_id or "")
    ended = _ENDED.get(reader.kind) if reader else None
    return ended is not None and seen is not None and seen.state not in (ended, AccountState.GONE)


def _shared(observation: Observation, sight: Sight, account: Account, told: tuple[Unverifiable, ...]) -> Residue:
    """What one reading of a whole system says of an account: a route for each type of resource."""
    unknown: dict[str, str] = {"everything": observation.unknown} if observation.unknown else {}
    for resource, reading in observation.readings.items():
        if reading.unknown is not None:
            unknown.setdefault(resource.type, reading.unknown)
    types = {resource.type for resource in observation.readings} - unknown.keys()
    held = tuple(holding for holdings in sight.held(account).values() for holding in holdings)
    return Residue(observation.at, tuple(sorted(types)), held, told, tuple(unknown.items()))


def _take(
    services: Services, register: Register, lefts: Iterable[Left], sight: Sight, actor: Actor
) -> tuple[Taken, ...]:
    """Take away what is held directly and what no plan could, since the common reading doesn't show it.

    The company's own people and protected accounts keep it: there it is for somebody to decide.
    """
    todo = [
        (left, holding)
        for left in lefts
        if outsourced(register, left.person) and not protected_by(services, left.account)
        for holding in left.roots
        if holding.via == "direct" and _unplanned(sight, holding)
    ]
    if not todo:
        return ()
    writers = services.writers()
    return tuple(each(lambda one: _end(services, writers, *one, actor), todo))


def _unplanned(sight: Sight, holding: Holding) -> bool:
    """Whether the common reading doesn't show it, and the journal may name it."""
    observation = sight.observed.get(holding.resource.system)
    reading = observation.readings.get(holding.resource) if observation else None
    shown = reading is not None and any(each_.account == holding.account for each_ in reading.holdings)
    return not shown and "@" not in f"{holding.resource}{holding.level}"


def _end(services: Services, writers: Mapping[str, Writer], left: Left, holding: Holding, actor: Actor) -> Taken:
    """Take one thing away, with the intent on record before and the outcome after."""
    account, resource = left.account, holding.resource
    change = ChangeRecord(left.person, account.system, account.id, resource, holding.level, None)
    intent = note(services, records.intended(DIGEST, change), actor)
    receipt, taken, result = None, Taken(account, holding), Result.DONE
    try:
        with urgent():
            receipt = writers[account.system].revoke(account, resource, holding.level)
    except SystemFailed as error:
        taken = Taken(account, holding, error.reason, isinstance(error, SystemRefused))
        result = Result.UNCERTAIN if error.uncertain else Result.FAILED
    note(services, records.outcome(intent.seq, result, receipt), actor)
    return taken
