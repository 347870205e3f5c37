"""Who is one of the company's own people, and who works for a vendor."""

from __future__ import annotations

from onboard.ledger import Register
from onboard.policy.rules.deeds import PersonIs


def outsourced(register: Register, person: str) -> bool:
    """Whether a manifest has, or once had, somebody among a vendor's people or lead them."""
    return bool(register.worked_for(person))


def of_the_company(register: Register, person: str) -> bool:
    """Whether somebody is one of the company's own people, and still here."""
    return person in register.people and not outsourced(register, person) and register.left(person) is None


def person_is(register: Register, person: str) -> PersonIs:
    """Somebody as rules of authority see them; empty for whoever isn't entered yet."""
    if not person:
        return PersonIs("")
    left = register.left(person) is not None
    return PersonIs(person, outsourced(register, person), register.worked_for(person), left)
