"""Discovery: knowledge transfer with read-only access. It begins when somebody starts the assignment."""

from __future__ import annotations

from onboard.errors import BadInput
from onboard.ledger import records
from onboard.lifecycle.authority import require
from onboard.lifecycle.gates import enter
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor, Phase
from onboard.policy.rules.deeds import Action
from onboard.wiring import Services


def start(services: Services, person: str, engagement: str | None, actor: Actor) -> Report:
    """Start a person's assignment: discovery begins, and what it gives is proposed."""
    return enter(services, person, engagement, Phase.DISCOVERY, actor)


def start_everyone(services: Services, engagement: str, actor: Actor) -> Report:
    """Start everybody that an engagement's manifest names and who hasn't started; one reading for all."""
    register = register_of(services)
    if engagement not in register.engagements:
        known = ", ".join(sorted(register.engagements)) or "none is loaded"
        raise BadInput.one(f"No engagement {engagement!r} (known: {known}). Load it: onboard engagement load FILE")
    people = [person for person in register.staffed(engagement) if register.left(person) is None]
    require(services, register, Action.RECORD, actor, *people)
    for person in people:
        for assignment in register.assignments(person):
            if assignment.engagement == engagement and assignment.phase is None and not assignment.ended:
                fact = records.started(person, engagement, assignment.role)
                note(services, fact, actor)
    return reconcile(services, people, actor)
