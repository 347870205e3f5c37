"""Ramp-up: small first tasks; write access is earned by milestones, and full operation follows the last of them."""

from __future__ import annotations

from onboard.lifecycle.gates import assignment_of, enter, missing_facts
from onboard.lifecycle.reconciling import Report
from onboard.lifecycle.standing import register_of
from onboard.model import Actor, Phase
from onboard.wiring import Services


def ramp_up(services: Services, person: str, engagement: str | None, actor: Actor) -> Report:
    """Bring the assignment into ramp-up if its gate is open; once its milestones are reached, into full operation.

    Raises Waiting while tooling setup isn't done.
    """
    register = register_of(services)
    assignment = assignment_of(register, person, engagement)
    done = assignment.phase is Phase.RAMP_UP and not missing_facts(services, register, assignment)
    return enter(services, person, assignment.engagement, Phase.FULL_OPERATION if done else Phase.RAMP_UP, actor)
