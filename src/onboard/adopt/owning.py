"""Taking on what people held before: what policy gives them and they hold already is on record as ours from then on.

Without that it could never be taken away again as long as they stay: only what we own is. A right is adopted by an
intent to change nothing, from the level to the same level, with a reading for its receipt; no system is written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onboard.engine.diff import Sight, Subject
from onboard.engine.plan import Plan
from onboard.ledger import Register, records
from onboard.ledger.records import ADOPTED, ChangeRecord, Result
from onboard.levels import scale_of
from onboard.lifecycle.proposing import alone, look, subjects_of
from onboard.lifecycle.standing import protected_by, register_of
from onboard.model import Account, Actor, Grant, Holding, HoldingState, Receipt, Resource
from onboard.wiring import Services

#: The status of the receipt: no system answered a write, a reading showed it.
READ = "read, as found"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What may be adopted, or was. `above`: held at a higher level than policy gives, and so not adopted.

    `unknown` couldn't be read, with the reason.
    """

    rights: tuple[ChangeRecord, ...]
    above: tuple[ChangeRecord, ...] = ()
    unknown: tuple[tuple[Resource, str], ...] = ()


def adoptable(services: Services, people: Sequence[str], actor: Actor) -> Adoption:
    """What these people hold directly, policy gives them, and isn't ours. Binds handles that answer by now.

    Raises Waiting where another worker has one of these people.
    """
    with alone(services, people):
        return _look(services, people, actor)


def adopt(services: Services, people: Sequence[str], actor: Actor) -> Adoption:
    """Put on record that what `adoptable` finds, read again now, is ours. Run again, it does what is left."""
    with alone(services, people) as lease:
        found = _look(services, people, actor)
        journal, at = services.ledger.journal, services.clock()
        intents = [records.intended(ADOPTED, change) for change in found.rights]
        receipt = Receipt(READ, at, changed=False)
        with services.ledger.database.writing() as connection:
            entries = journal.append_in(connection, intents, actor=actor, at=at, under=(lease,))
            done = [records.outcome(entry.seq, Result.DONE, receipt) for entry in entries]
            journal.append_in(connection, done, actor=actor, at=at, under=(lease,))
    return found


def _look(services: Services, people: Sequence[str], actor: Actor) -> Adoption:
    subjects = subjects_of(services, people, actor)
    register = register_of(services)
    return _found(services, register, subjects, look(services, register, subjects))


def _found(services: Services, register: Register, subjects: Sequence[Subject], plan: Plan) -> Adoption:
    rights: list[ChangeRecord] = []
    above: list[ChangeRecord] = []
    sight, accounts = Sight(plan.observed), {s.person: s.accounts for s in subjects}
    for grant in plan.wanted:
        account = accounts[grant.person].get(grant.resource.system)
        if account is None or protected_by(services, account) or sight.unknown(grant.resource) is not None:
            continue
        owned = register.owned().get((grant.person, account.id, grant.resource), frozenset())
        level = _level(grant, sight.held(account).get(grant.resource, []))
        if level is not None and level not in owned:
            fits = scale_of(grant.resource).open or not _higher(grant, level)
            (rights if fits else above).append(_same(grant, account, level))
    unknown = {(unknown.resource, unknown.reason) for unknown in plan.unknown}
    return Adoption(tuple(rights), tuple(above), tuple(sorted(unknown)))


def _level(grant: Grant, held: Sequence[Holding]) -> str | None:
    """At which level a person holds directly what a grant is about; None where they don't, or could not accept it."""
    levels = [h.level for h in held if h.via == "direct" and h.state is not HoldingState.EXPIRED]
    scale = scale_of(grant.resource)
    if scale.open:
        return grant.level if grant.level in levels else None
    return scale.join(levels) if levels else None


def _higher(grant: Grant, level: str) -> bool:
    scale = scale_of(grant.resource)
    return scale.rank(level) > scale.rank(grant.level)


def _same(grant: Grant, account: Account, level: str) -> ChangeRecord:
    return ChangeRecord(grant.person, account.system, account.id, grant.resource, level, level)
