"""What a phase asks for before the next one begins, and the step from one to the next."""

from __future__ import annotations

from onboard.errors import BadInput, Waiting
from onboard.ledger import Register, records
from onboard.lifecycle.authority import require
from onboard.lifecycle.reconciling import Report, reconcile
from onboard.lifecycle.standing import note, register_of
from onboard.model import Actor, Assignment, Phase
from onboard.policy.rules.deeds import Action
from onboard.wiring import Services


def assignment_of(register: Register, person: str, engagement: str | None = None, *, anew: bool = False) -> Assignment:
    """The person's assignment in that engagement, or the only live one. Raises BadInput for none or several.

    With `anew` also one that the person left while its manifest goes on naming them: they may begin there again.
    """
    live = [
        a
        for a in register.assignments(person)
        if engagement in (None, a.engagement) and (not a.ended or (anew and _named(register, a)))
    ]
    if len(live) == 1:
        return live[0]
    if live:
        names = ", ".join(a.engagement for a in live)
        raise BadInput.one(f"This person is in several engagements ({names}). Say which: --engagement NAME")
    where = f"in engagement {engagement}" if engagement else "in any engagement"
    raise BadInput.one(
        f"This person isn't assigned {where}. Add them to its manifest, then: onboard engagement load FILE"
    )


def _named(register: Register, assignment: Assignment) -> bool:
    """Whether the engagement's manifest names the person, and nothing but their own leaving ended it."""
    gone = register.left(assignment.person)
    staffing = register.engagements[assignment.engagement].staffing
    return any(line.person == assignment.person for line in staffing) and (gone is None or gone.name == "left")


def missing_facts(services: Services, register: Register, assignment: Assignment) -> tuple[str, ...]:
    """The facts that have to be recorded, and hold today, before the next phase begins; none before the first.

    Raises BadInput for a role that the policies don't have (any more).
    """
    if assignment.phase is None:
        return ()
    if assignment.role not in services.policy.roles:
        roles = ", ".join(sorted(services.policy.roles))
        raise BadInput.one(f"Role {assignment.role!r} is not in the policies ({roles}). Give the person one that is.")
    policy, today = services.policy, services.clock().date()
    known = {**register.facts(assignment.person), **register.milestones(assignment.person, assignment.engagement)}
    gate = list(policy.stage(assignment.role, assignment.phase).leave)
    if assignment.phase.next is not None:
        gate += policy.stage(assignment.role, assignment.phase.next).enter
    return tuple(name for name in dict.fromkeys(gate) if name not in known or not known[name].holds(today))


def enter(services: Services, person: str, engagement: str | None, phase: Phase, actor: Actor) -> Report:
    """Bring an assignment into a phase, if it stands just before it and its gate is open; then reconcile.

    In the phase already, or past it, this only reconciles. Raises Waiting where facts are missing, BadInput where a
    phase would be skipped.
    """
    register = register_of(services)
    require(services, register, Action.RECORD, actor, person)
    assignment = assignment_of(register, person, engagement, anew=phase is Phase.DISCOVERY)
    if assignment.phase is None and phase is not Phase.DISCOVERY:
        raise BadInput.one(f"Nobody has started this person. Next: onboard start {person[:10]}")
    if assignment.phase is None or assignment.ended:
        started = records.started(person, assignment.engagement, assignment.role)
        note(services, started, actor)
    elif not assignment.phase.reaches(phase):
        if assignment.phase.next is not phase:
            raise BadInput.one(
                f"This person is in {assignment.phase}: {phase} comes only after {assignment.phase.next}."
            )
        _finish(services, register, assignment, actor)
        require_open(services, register, assignment)
        advanced = records.advanced(person, assignment.engagement, phase)
        note(services, advanced, actor)
    return reconcile(services, [person], actor)


def _finish(services: Services, register: Register, assignment: Assignment, actor: Actor) -> None:
    """Before a closed gate only reconcile: the step that led here may have been killed between its fact and this."""
    if missing_facts(services, register, assignment):
        reconcile(services, [assignment.person], actor)


def require_open(services: Services, register: Register, assignment: Assignment) -> None:
    """Raises Waiting while the gate out of the assignment's phase lacks a fact, naming each and how to record it."""
    lacking = missing_facts(services, register, assignment)
    if lacking:
        lines = "\n".join(f"  onboard record {assignment.person[:10]} {name}" for name in lacking)
        raise Waiting(f"{assignment.phase} ends once these are recorded: {', '.join(lacking)}\n{lines}")


def advance(services: Services, person: str, engagement: str | None, actor: Actor) -> Report:
    """The next phase, if its gate is open. Raises Waiting where facts are missing, BadInput after full operation."""
    assignment = assignment_of(register_of(services), person, engagement)
    if assignment.phase is None:
        return enter(services, person, assignment.engagement, Phase.DISCOVERY, actor)
    following = assignment.phase.next
    if following is None:
        raise BadInput.one("This person is in full operation: there is no further phase.")
    return enter(services, person, assignment.engagement, following, actor)
