"""Leaving, cutting off, and the one step back from a wrong removal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from onboard.connectors.base import Writer
from onboard.connectors.levers import sharing
from onboard.connectors.pacing import urgent
from onboard.engine.parallel import attempts, each
from onboard.engine.perform import container
from onboard.engine.settle import READ_BACK
from onboard.errors import BadInput, Findings, SystemFailed, Waiting
from onboard.ledger import Register, owner_here, records
from onboard.ledger.projections.effects import Intended
from onboard.ledger.records import WHOLE_ACCOUNT, ChangeRecord, Result
from onboard.lifecycle.authority import require
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import note, protected_by, register_of, salvaged_register, subject_of
from onboard.model import Account, Actor, Receipt, Resource
from onboard.policy.rules.deeds import Action
from onboard.wiring import Services

#: Seconds that a cut-off waits for a container that another worker holds, before that lever counts as failed.
PATIENCE = 10.0
#: The fact, and under what name the journal keeps that the levers of an account were pulled.
CUT_OFF, LEVERS = "cut_off", records.CUT_OFF


def offboard(services: Services, person: str, engagement: str | None, actor: Actor) -> Report:
    """Record that the person left (one engagement, or altogether), take everything away and read it back.

    Those whose engagement loses its sponsor by that lose what it gave them as well.
    """
    register = register_of(services)
    require(services, register, Action.OFFBOARD, actor, person)
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
    """What one system answered when everything there was pulled for one account; `failure` where it could not be."""

    system: str
    receipts: tuple[Receipt, ...] = ()
    failure: str | None = None
    person: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class CutOff:
    """The levers pulled, how long that took, then what reading found and took away besides, and when that was told."""

    levers: tuple[Lever, ...]
    report: Report
    pulled: timedelta
    verified: timedelta

    @property
    def failed(self) -> tuple[Lever, ...]:
        """The levers that failed, where reading didn't show afterwards that nothing is left."""
        dead = {left.account.id for left in self.report.remains.accounts if left.dead}
        return tuple(lever for lever in self.levers if lever.failure and lever.account not in dead)

    @property
    def exit_code(self) -> int:
        """5 where a lever failed, else the report's."""
        return 5 if self.failed else self.report.exit_code


def cut_off(services: Services, person: str, actor: Actor) -> CutOff:
    """Pull every lever on every system at once, without reading first; then reconcile and verify.

    Unlike all else this runs where nothing can be read, and beside whoever works on the same person. Protected accounts
    are left alone even here. Raises Waiting where the levers were pulled but nobody else let go of the person, Findings
    where they were pulled though the journal is broken: what is left can't be told then.
    """
    return _cut_off(services, [person], actor, frozenset())


def cut_off_vendor(services: Services, vendor: str, actor: Actor) -> CutOff:
    """The same for everybody of a vendor: all facts first, then all levers, then one reading of each system for all.

    Interrupted, it goes on: an account whose levers were pulled since its person was cut off isn't pulled again, only
    read. Raises BadInput where nobody is known to work for the vendor, else as `cut_off`.
    """
    register = salvaged_register(services)
    people = people_of(register, vendor)
    return _cut_off(services, people, actor, _pulled_already(register, people))


def people_of(register: Register, vendor: str) -> list[str]:
    """Who stands in one of the vendor's engagements or leads one for it. Raises BadInput for a vendor without any."""
    if vendor not in register.vendors:
        raise BadInput.one(f"No vendor {vendor!r}. Known: {', '.join(sorted(register.vendors)) or 'none'}")
    people = sorted(person for person in register.people if vendor in register.vendors_of(person))
    if not people:
        raise BadInput.one(f"Nobody works for {vendor}: no engagement of theirs names anybody.")
    return people


def _pulled_already(register: Register, people: Iterable[str]) -> frozenset[str]:
    """The accounts on which every lever was pulled since their person was cut off, as the ledger has it.

    That a reading showed nothing held isn't enough: it doesn't show the account itself, nor what hangs on it.
    """
    since = {person: gone.entry for person in people if (gone := register.left(person)) and gone.name == CUT_OFF}
    return frozenset(
        intent.change.account
        for intent in register.intents(LEVERS)
        if _answered(intent) and intent.seq > since.get(intent.change.person, intent.seq)
    )


def _answered(intent: Intended) -> bool:
    """Whether the system itself said that it was done."""
    receipt = intent.outcome.receipt if intent.outcome else None
    return intent.result is Result.DONE and (receipt is None or receipt.status != READ_BACK)


def _cut_off(services: Services, people: Sequence[str], actor: Actor, pulled: Collection[str]) -> CutOff:
    """Cut these people off; of the accounts in `pulled` the levers are left out."""
    begun, register = services.clock(), salvaged_register(services)
    require(services, register, Action.CUTOFF, actor, *people)
    out = {person for person in people if (gone := register.left(person)) is not None and gone.name == CUT_OFF}
    facts = [records.cut_off(person) for person in people if person not in out]
    services.ledger.journal.append_many(facts, actor=actor, at=begun)
    levers, faults = _pull_all(services, register, people, actor, pulled)
    done = services.clock()
    suspect = {lever.account for lever in levers if lever.failure}
    try:
        after = register_of(services)
        orphaned = {someone for person in people for someone in _orphaned(after, person)} - set(people)
        report = reconcile(services, [*people, *sorted(orphaned)], actor, suspect=suspect)
    except (Waiting, Findings) as stopped:
        raise type(stopped)(
            f"Every lever was pulled ({_told(levers)}), and what is left could not be looked at: {stopped}"
        ) from None
    for fault in faults:
        raise fault
    return CutOff(tuple(levers), report, done - begun, services.clock() - begun)


def _told(levers: Iterable[Lever]) -> str:
    """What became of the levers, by system."""
    failures: dict[str, list[str]] = {}
    for lever in levers:
        failures.setdefault(lever.system, []).extend([lever.failure] if lever.failure else [])
    return ", ".join(f"{system} {'; '.join(dict.fromkeys(failed)) or 'done'}" for system, failed in failures.items())


def _pull_all(
    services: Services, register: Register, people: Iterable[str], actor: Actor, pulled: Collection[str]
) -> tuple[list[Lever], list[BaseException]]:
    """Every lever on every account of these people, all systems side by side, so that a slow one delays no other.

    What is the same for several people is read once for all of them.
    """
    writers = services.writers()
    todo: dict[str, list[Account]] = {}
    for account in (a for person in people for a in subject_of(services, register, person).everything):
        if account.id not in pulled:
            todo.setdefault(account.system, []).append(account)
    several = any(len(accounts) > 1 for accounts in todo.values())
    with sharing() if several else nullcontext():
        ended = each(
            lambda accounts: attempts(lambda account: _pull(services, account, actor, writers), accounts), todo.values()
        )
    return [lever for levers, _ in ended for lever in levers], [fault for _, faults in ended for fault in faults]


def _pull(services: Services, account: Account, actor: Actor, writers: Mapping[str, Writer]) -> Lever:
    """Every lever on one account, with the intent on record before and the outcome after."""
    lever = Lever(account.system, person=account.person or "", account=account.id)
    if protected_by(services, account):
        return replace(lever, failure="the account is protected and was left alone")
    if account.system not in writers:
        return replace(lever, failure="the system is no longer configured")
    whole = Resource(account.system, WHOLE_ACCOUNT, account.id)
    change = ChangeRecord(lever.person, account.system, account.id, whole, "everything", None)
    intent = note(services, records.intended(LEVERS, change), actor)
    try:
        hold = partial(container, ledger=services.ledger, worker=owner_here(), wait=PATIENCE)
        with urgent():
            receipts = tuple(writers[account.system].cut_off(account, hold))
        lever, result = replace(lever, receipts=receipts), Result.DONE
    except SystemFailed as error:
        lever = replace(lever, failure=error.reason)
        result = Result.UNCERTAIN if error.uncertain else Result.FAILED
    receipt = lever.receipts[-1] if lever.receipts else None
    note(services, records.outcome(intent.seq, result, receipt), actor)
    return lever


def restore(services: Services, person: str, actor: Actor) -> Report:
    """Undo the last removal that was recorded of this person (left, cut off, role changed), as if it hadn't happened.

    What is to be granted again waits for its approval like any grant. Asked twice it doesn't undo what came before:
    while something of the first time is still to do it goes on with that. Raises BadInput where nothing is, or was.
    """
    require(services, register_of(services), Action.RESTORE, actor, person)
    removal, last = register_of(services).last_removal(person), _last_restored(services, person)
    if last > (removal.entry if removal else 0):
        return _restored_before(services, person, last, actor)
    if removal is None:
        raise BadInput.one("Nothing was taken from this person by a recorded fact, so there is nothing to restore.")
    fact = records.restored(person, removal.entry)
    note(services, fact, actor)
    return reconcile(services, [person], actor)


def _restored_before(services: Services, person: str, entry: int, actor: Actor) -> Report:
    """Go on with what that entry began, which may have been killed. Raises BadInput where nothing of it is left."""
    report = reconcile(services, [person], actor)
    if report.plan.changes:
        return report
    raise BadInput.one(
        f"The last removal was undone already (ledger entry {entry}). What came before it stands: there is one step"
        " back, not two. To go further, say what should be so: onboard change-role, onboard start"
    )


def _last_restored(services: Services, person: str) -> int:
    """The number of the last entry by which something of this person's was restored; 0 for never."""
    last = register_of(services).last_fact(person, "restored")
    return last.entry if last else 0
