"""Leaving, cutting off, and the one step back from a wrong removal."""

from __future__ import annotations

from dataclasses import dataclass

from onboard.engine.parallel import each
from onboard.engine.perform import Tools
from onboard.errors import BadInput, SystemFailed
from onboard.ledger import records
from onboard.ledger.records import ChangeRecord, Result
from onboard.lifecycle.reconciling import Report, reconcile, worker
from onboard.lifecycle.standing import note, protected_by, register_of, subject_of
from onboard.model import Account, Actor, Receipt, Resource
from onboard.wiring import Services


def offboard(services: Services, person: str, engagement: str | None, actor: Actor) -> Report:
    """Record that the person left (one engagement, or altogether), take everything away and read it back."""
    register = register_of(services)
    live = [a for a in register.assignments(person) if not a.ended and engagement in (None, a.engagement)]
    if register.left(person) is None and (live or engagement is None):
        fact = records.left(person, engagement)
        note(services, fact, actor)
    elif engagement is not None and not live:
        known = any(a.engagement == engagement for a in register.assignments(person))
        if not known:
            raise BadInput.one(f"This person isn't in engagement {engagement}. See: onboard person show {person[:10]}")
    return reconcile(services, [person], actor)


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

    Unlike all else this runs where nothing can be read. Protected accounts are left alone even here.
    """
    register = register_of(services)
    gone = register.left(person)
    if gone is None or gone.name != "cut_off":
        fact = records.cut_off(person)
        note(services, fact, actor)
    tools = Tools(services.readers, services.writers(), services.ledger, services.clock, worker())
    accounts = subject_of(services, register, person).accounts.values()
    levers = each(lambda account: _pull(services, account, person, actor, tools), accounts)
    return CutOff(tuple(levers), reconcile(services, [person], actor))


def _pull(services: Services, account: Account, person: str, actor: Actor, tools: Tools) -> Lever:
    """Every lever on one account, with the intent on record before and the outcome after."""
    if protected_by(services, account):
        return Lever(account.system, failure="the account is protected and was left alone")
    whole = Resource(account.system, "account", account.id)
    change = ChangeRecord(person, account.system, account.id, whole, "everything", None)
    intent = note(services, records.intended("cut-off", change), actor)
    try:
        receipts = tuple(tools.writers[account.system].cut_off(account))
        lever, result = Lever(account.system, receipts), Result.DONE
    except SystemFailed as error:
        lever = Lever(account.system, failure=error.reason)
        result = Result.UNCERTAIN if error.uncertain else Result.FAILED
    receipt = lever.receipts[-1] if lever.receipts else None
    note(services, records.outcome(intent.seq, result, receipt), actor)
    return lever


def restore(services: Services, person: str, actor: Actor) -> Report:
    """Undo the last removal that was recorded of this person (left, cut off, role changed), as if it hadn't happened.

    What is to be granted again waits for its approval like any grant. Raises BadInput where nothing can be undone.
    """
    register = register_of(services)
    removal = register.last_removal(person)
    if removal is None:
        raise BadInput.one("Nothing was taken from this person by a recorded fact, so there is nothing to restore.")
    fact = records.restored(person, removal.entry)
    note(services, fact, actor)
    return reconcile(services, [person], actor)
