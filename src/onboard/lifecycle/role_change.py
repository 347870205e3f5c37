"""Role change: what the old role gave goes at once, what the new one gives waits for its approval."""

from __future__ import annotations

from difflib import get_close_matches

from onboard.errors import BadInput
from onboard.ledger import records
from onboard.lifecycle.authority import require
from onboard.lifecycle.gates import assignment_of
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor
from onboard.policy.rules.deeds import Action
from onboard.wiring import Services


def change_role(services: Services, person: str, engagement: str | None, role: str, actor: Actor) -> Report:
    """Record that the assignment's role is another now, then reconcile. In that role already, it only reconciles."""
    require(services, register_of(services), Action.CHANGE_ROLE, actor, person)
    if role not in services.policy.roles:
        close = get_close_matches(role, services.policy.roles, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise BadInput.one(f"No role {role!r}.{hint} Roles: {', '.join(sorted(services.policy.roles))}")
    assignment = assignment_of(register_of(services), person, engagement)
    if assignment.role != role:
        fact = records.role_changed(person, assignment.engagement, role, assignment.role)
        note(services, fact, actor)
    return reconcile(services, [person], actor)
