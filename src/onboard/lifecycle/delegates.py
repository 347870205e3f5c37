"""Letting a colleague give one's word for a while."""

from __future__ import annotations

from datetime import date

from onboard.errors import BadInput, Refused
from onboard.ledger import Register
from onboard.ledger.projections.delegations import Delegation, delegated, delegation_ended
from onboard.lifecycle.authority import about, permitted
from onboard.lifecycle.company import of_the_company, outsourced
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor
from onboard.policy.rules.deeds import Action, Handover
from onboard.wiring import Services


def add(services: Services, person: str, to: str, until: date, within: str | None, actor: Actor) -> Delegation:
    """Record that `to` may give this person's word until that day, everywhere or within one engagement.

    What stands already isn't recorded again. Raises BadInput, and NotAuthorised where no rule lets the actor do it.
    """
    register, today = register_of(services), services.clock().date()
    if person == to:
        raise BadInput.one("Nobody is their own delegate. Name somebody else.")
    if until < today:
        raise BadInput.one(f"{until} is over. Name a day from today on.")
    if within is not None and within not in register.engagements:
        raise BadInput.one(f"No engagement {within!r}. Known: {', '.join(sorted(register.engagements)) or 'none'}")
    _require(services, register, person, to, (until - today).days, actor)
    if not of_the_company(register, to):
        raise Refused("A delegate is one of the company's own people, and still here. Nothing was changed.")
    same = (d for d in register.delegations(person) if (d.to, d.until, d.within) == (to, until, within))
    standing = next(same, None)
    if standing is not None:
        return standing
    entry = note(services, delegated(person, to, until, within), actor)
    return Delegation(entry.seq, person, to, until, within)


def end(services: Services, person: str, to: str, actor: Actor) -> tuple[Delegation, ...]:
    """Record that `to` no longer gives this person's word; what was ended by that. Raises BadInput where nothing is."""
    register, today = register_of(services), services.clock().date()
    found = tuple(d for d in register.delegations(person) if d.to == to and d.until >= today)
    if not found:
        raise BadInput.one("They are no delegate of this person's. See onboard delegate list")
    _require(services, register, person, to, 0, actor)
    for delegation in found:
        note(services, delegation_ended(person, delegation.entry), actor)
    return found


def standing(services: Services, register: Register) -> tuple[Delegation, ...]:
    """What is handed over now, by person and day."""
    today = services.clock().date()
    found = (d for person in sorted(register.people) for d in register.delegations(person) if d.until >= today)
    return tuple(sorted(found, key=lambda d: (d.person, d.until, d.entry)))


def _require(services: Services, register: Register, person: str, to: str, days: int, actor: Actor) -> None:
    left = register.left(to) is not None
    handover = Handover(delegate_outsourced=outsourced(register, to), delegate_left=left, days=days)
    context = about(register, actor, person, handover)
    permitted(services.policy.authority, register, Action.DELEGATE, actor, person, context)
