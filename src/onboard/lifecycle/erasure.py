"""Forgetting people: on request, or when what was kept of them has been kept long enough.

Whoever still holds access, answers for something, or is under a legal hold isn't forgotten. The journal stays whole: it
holds opaque ids, which stand for nobody any more once the key is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cache, partial

from onboard.connectors.base import Scope
from onboard.engine.diff import Sight, Subject
from onboard.engine.parallel import each
from onboard.errors import Refused, SystemFailed, Waiting
from onboard.ledger import Register, records
from onboard.lifecycle.authority import require
from onboard.lifecycle.proposing import alone, subjects_of
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor
from onboard.policy.rules.deeds import Action
from onboard.wiring import Services


def erase(services: Services, person: str, actor: Actor) -> None:
    """Destroy a person's key and everything kept under it, having read that they hold nothing anywhere.

    Asked again it goes on where it was interrupted. Raises Refused with everything that stands in the way, SystemFailed
    where a system can't be read, Waiting where somebody else works on the person.
    """
    require(services, register_of(services), Action.ERASE, actor, person)
    _erase(services, person, actor, partial(_observed, services))


def _erase(services: Services, person: str, actor: Actor, read: Callable[[], Sight]) -> None:
    with alone(services, [person]):
        register = register_of(services)
        if person not in register.erased:
            (subject,) = subjects_of(services, [person], actor)
            sight = read()
            against = [*_against(services, register, person), *_holdings(subject, sight)]
            if against:
                raise Refused("\n  ".join(["Nothing was erased:", *against]))
            _require_read(subject, sight)
            note(services, records.erased(person), actor)
        services.ledger.people.erase(person)


def hold(services: Services, person: str, because: str, actor: Actor) -> None:
    """Put a legal hold on a person; the reason is kept under their key."""
    record = records.legal_hold(person).noted(services.ledger.people.note(person, because))
    note(services, record, actor)


def release(services: Services, person: str, actor: Actor) -> None:
    """Take the legal hold from a person. Raises Refused where none is on them."""
    if register_of(services).legal_hold(person) is None:
        raise Refused("No legal hold is on this person.")
    record = records.hold_released(person)
    note(services, record, actor)


def _against(services: Services, register: Register, person: str) -> Iterator[str]:
    """What of the ledger's own stands in the way, each with a way out."""
    held = register.legal_hold(person)
    if held is not None:
        why = services.ledger.people.text_of(held.detail["note"])
        yield f"A legal hold is on them since {held.at:%Y-%m-%d} ({why}). First: onboard person release {person[:10]}"
    for assignment in register.assignments(person):
        if not assignment.ended:
            yield f"They work in engagement {assignment.engagement}. First: onboard offboard {person[:10]}"
    today = services.clock().date()
    for engagement in register.engagements.values():
        if person in (*engagement.answering, engagement.vendor_lead) and engagement.ends >= today:
            yield f"They answer for engagement {engagement.id}. Name somebody else: onboard engagement load FILE"
    for task in register.open_tasks():
        if task.person == person:
            yield f"Something about them has to be done by hand: onboard tasks done {task.id} --evidence FILE"
    if any(intent.change.person == person for intent in register.unresolved()):
        yield f"It isn't known how a change to their access ended. First: onboard offboard {person[:10]}"


def _observed(services: Services) -> Sight:
    """Everything, read anew on every system."""
    readings = each(lambda name: services.readers[name].read(Scope(None)), sorted(services.readers))
    return Sight({observation.system: observation for observation in readings})


def _holdings(subject: Subject, sight: Sight) -> Iterator[str]:
    """What their accounts were read to hold, a line for each account."""
    for account in subject.everything:
        held = [holding for holdings in sight.held(account).values() for holding in holdings]
        if held:
            named = sorted({str(holding.resource) for holding in held})
            where = ", ".join([*named[:3], *(["…"] if len(named) > 3 else [])])
            count = f"{len(held)} {'right' if len(held) == 1 else 'rights'}"
            yield f"They hold {count} on {account.system} ({where}). First: onboard offboard {subject.person[:10]}"


def _require_read(subject: Subject, sight: Sight) -> None:
    """Raises SystemFailed unless everything could be read, and each of the person's handles looked up."""
    for system, observation in sight.observed.items():
        parts = [f"{r.resource}: {r.unknown}" for r in observation.readings.values() if r.unknown is not None]
        reason = observation.unknown or subject.unclear.get(system) or next(iter(parts), None)
        if reason is not None:
            raise SystemFailed(
                system,
                f"whether they hold anything there can't be told ({reason}), so nothing was erased. Run this again.",
            )


def retain(services: Services, actor: Actor) -> tuple[str, ...]:
    """Erase what has been kept for long enough, as the settings say; who was erased.

    Whoever still holds something, or on whom something can't be told, is left for the next time. An erasure that was
    interrupted is finished.
    """
    register, people = register_of(services), services.ledger.people
    for person in sorted(p for p in register.erased if people.knows(p)):
        people.erase(person)
    _forget_notes(services, register)
    due = [person for person in sorted(register.people) if _due(services, register, person)]
    read = cache(partial(_observed, services))
    return tuple(person for person in due if _erased(services, person, actor, read))


def _due(services: Services, register: Register, person: str) -> bool:
    days, left = services.settings.retention.left_days, register.left(person)
    return bool(days) and left is not None and _older(left.at.date(), services, days)


def _older(day: date, services: Services, days: int) -> bool:
    return day + timedelta(days=days) < services.clock().date()


def _erased(services: Services, person: str, actor: Actor, read: Callable[[], Sight]) -> bool:
    try:
        _erase(services, person, actor, read)
    except (Refused, SystemFailed, Waiting):
        return False
    return True


def _forget_notes(services: Services, register: Register) -> None:
    """Delete free text that is older than the settings allow, but for people under a legal hold."""
    days = services.settings.retention.notes_days
    if not days:
        return
    entries = (e for e in services.ledger.journal.entries() if "note" in e.body)
    old = [e for e in entries if _older(e.at.date(), services, days)]
    services.ledger.people.forget(e.body["note"] for e in old if not register.legal_hold(e.subject or ""))
