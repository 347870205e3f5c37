"""What time alone has ended, for everybody: nobody types a command when an NDA lapses or a contract runs out."""

from __future__ import annotations

from onboard.lifecycle.proposing import look
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import register_of, subject_of
from onboard.model import Actor
from onboard.wiring import Services


def correct(services: Services, actor: Actor) -> Report | None:
    """Take away what somebody holds and should hold no more, who is or was assigned anywhere; None where nobody does.

    Looks at everybody first, without their leases, then reconciles just those who have something to lose, and those of
    whom a killed run left open what it changed. Grants are proposed and wait, limits hold back what is too much at
    once, what can't be read is left alone.
    """
    register = register_of(services)
    everybody = sorted(person for person in register.people if register.assignments(person))
    subjects = [subject_of(services, register, person) for person in everybody]
    found = look(services, register, subjects, in_turn=True)
    interrupted = {intent.change.person for intent in register.unresolved()} | register.unread
    due = sorted({part.person for part in found.removals} | interrupted.intersection(everybody))
    return reconcile(services, due, actor) if due else None
