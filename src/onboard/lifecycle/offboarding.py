"""Leaving, cutting off, and the one step back from a wrong removal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from onboard.connectors.base import Writer
from onboard.engine.parallel import attempts
from onboard.engine.perform import container
from onboard.engine.settle import WHOLE_ACCOUNT
from onboard.errors import BadInput, SystemFailed, Waiting
from onboard.ledger import Register, owner_here, records
from onboard.ledger.records import ChangeRecord, Result
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import note, protected_by, register_of, subject_of
from onboard.model import Account, Actor, Receipt, Resource
from onboard.wiring import Services

#: Seconds that a cut-off waits for a container that another worker holds, before that lever counts as failed.
PATIENCE = 10.0


def offboard(services: Services, person: str, engagement: str | None, actor: Actor) -> Report:
    """Record that the person left (one engagement, or altogether), take everything away and read it back.

    Those whose engagement loses its sponsor by that lose what it gave them as well.
    """
    register = register_of(services)
    theirs = [a for a in register.assignments(person) if engagement in (None, a.engagement)]
    if engagement is not None and not theirs:
        raise BadInput.one(f"This person isn't in engagement {engagement}. See: onboard person show {person[:10]}")
    live = any(not assignment.ended for assignment in theirs)
    if register.left(person) is None and (live or engagement is None):
        fact = records.left(person, engagement)
        note(services, fact, actor)
    return reconcile(services, [person, *_orphaned(register_of(services), person)], actor)


def _orphaned(register: Register, person: str) -> list[str]:
    """Who works in an engagement of which this person, who has left altogether, is the sponsor."""
    gone = register.left(person) is not None
    sponsored = [e.id for e in register.engagements.values() if gone and e.sponsor == person]
    return sorted({someone for name in sponsored for someone in register.staffed(name)} - {person})


@dataclass(frozen=True, slots=True)
class Lever:
    """What one system answered when everything there was pulled; `failure` where it could not be."""

    system: str
    receipts: tuple[Receipt, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class CutOff:
    """The levers pulled, then what reading found and took away besides."""

    levers: tuple[Lever, ...]
    report: Report

    @property
    def exit_code(self) -> int:
        """5 where a lever failed, else the report's."""
        return 5 if any(lever.failure for lever in self.levers) else self.report.exit_code


def cut_off(services: Services, person: str, actor: Actor) -> CutOff:
    """Pull every lever on every system at once, without reading first; then reconcile and verify.

    Unlike all else this runs where nothing can be read, and beside whoever works on the same person. Protected accounts
    are left alone even here. Raises Waiting where the levers were pulled but nobody else let go of the person.
    """
    register = register_of(services)
    gone = register.left(person)
    if gone is None or gone.name != "cut_off":
        fact = records.cut_off(person)
        note(services, fact, actor)
    writers = services.writers()
    accounts = subject_of(services, register, person).everything
    levers, faults = attempts(lambda account: _pull(services, account, person, actor, writers), accounts)
    try:
        report = reconcile(services, [person, *_orphaned(register_of(services), person)], actor)
    except Waiting as waiting:
        told = ", ".join(f"{lever.system} {lever.failure or 'done'}" for lever in levers)
        raise Waiting(f"Every lever was pulled ({told}), and what is left could not be looked at: {waiting}") from None
    for fault in faults:
        raise fault
    return CutOff(tuple(levers), report)


def _pull(services: Services, account: Account, person: str, actor: Actor, writers: Mapping[str, Writer]) -> Lever:
    """Every lever on one account, with the intent on record before and the outcome after."""
    if protected_by(services, account):
        return Lever(account.system, failure="the account is protected and was left alone")
    if account.system not in writers:
        return Lever(account.system, failure="the system is no longer configured")
    whole = Resource(account.system, WHOLE_ACCOUNT, account.id)
    change = ChangeRecord(person, account.system, account.id, whole, "everything", None)
    intent = note(services, records.intended("cut-off", change), actor)
    try:
        hold = partial(container, ledger=services.ledger, worker=owner_here(), wait=PATIENCE)
        receipts = tuple(writers[account.system].cut_off(account, hold))
        lever, result = Lever(account.system, receipts), Result.DONE
    except SystemFailed as error:
        lever = Lever(account.system, failure=error.reason)
        result = Result.UNCERTAIN if error.uncertain else Result.FAILED
    receipt = lever.receipts[-1] if lever.receipts else None
    note(services, records.outcome(intent.seq, result, receipt), actor)
    return lever


def restore(services: Services, person: str, actor: Actor) -> Report:
    """Undo the last removal that was recorded of this person (left, cut off, role changed), as if it hadn't happened.

    What is to be granted again waits for its approval like any grant. Raises BadInput where nothing can be undone, or
    where it was undone already: asked twice it doesn't undo what came before.
    """
    removal = register_of(services).last_removal(person)
    if removal is None:
        raise BadInput.one("Nothing was taken from this person by a recorded fact, so there is nothing to restore.")
    last = _last_restored(services, person)
    if last > removal.entry:
        raise BadInput.one(
            f"The last removal was undone already (ledger entry {last}). What came before it stands: there is one step"
            " back, not two. To go further, say what should be so: onboard change-role, onboard start"
        )
    fact = records.restored(person, removal.entry)
    note(services, fact, actor)
    return reconcile(services, [person], actor)


def _last_restored(services: Services, person: str) -> int:
    """The number of the last entry by which something of this person's was restored; 0 for never."""
    facts = services.ledger.journal.entries(kinds={"fact"})
    return max((e.seq for e in facts if e.body["name"] == "restored" and e.body["person"] == person), default=0)
