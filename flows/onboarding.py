"""Onboarding: the three phases in order, each as far as facts and approvals on record allow."""

from __future__ import annotations

from typing import Any

from onboard.flows.discovery import discovery
from onboard.flows.ramp_up import ramp_up
from onboard.flows.running import Engagement, Person, RequestedBy, ended, kept, named, rules, services
from onboard.flows.tooling_setup import tooling_setup
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.errors import OnboardError
from onboard.lifecycle.gates import assignment_of, require_open
from onboard.lifecycle.standing import register_of
from onboard.model import Phase

#: The flow that brings a person into each phase, or, in that phase already, completes what it gives.
STEPS = {
    Phase.DISCOVERY: discovery,
    Phase.TOOLING_SETUP: tooling_setup,
    Phase.RAMP_UP: ramp_up,
    Phase.FULL_OPERATION: ramp_up,
}


@flow(name="onboarding", flow_run_name=named("onboarding"), retries=0, persist_result=False)
def onboarding(
    person: Person, engagement: Engagement | None = None, requested_by: RequestedBy = "scheduler"
) -> State[Any]:
    """Discovery, tooling setup, ramp-up: from where the person stands to the first phase that waits or fails."""
    steps: list[tuple[str, str, str]] = []
    try:
        state = _as_far_as_it_goes(person, engagement, requested_by, steps)
    except OnboardError as error:
        state = ended(error.exit_code, str(error))
    kept("onboarding", person, [*rules(("phase", "state", "what came of it"), steps), "", state.message or ""])
    return state


def _as_far_as_it_goes(
    person: str, engagement: str | None, requested_by: str, steps: list[tuple[str, str, str]]
) -> State[Any]:
    """The state to end in; `steps` receives a line for each flow that ran. Raises OnboardError."""
    begins = _phase(person, engagement) or Phase.DISCOVERY
    for phase, step in STEPS.items():
        if phase.rank < begins.rank:
            continue
        if phase is Phase.FULL_OPERATION and phase is not begins:
            _require_milestones(person, engagement)
        state = step(person, engagement, requested_by, return_state=True)
        steps.append((phase, state.name or "", state.message or ""))
        if state.name != "Done":
            return State(type=state.type, name=state.name, message=f"{phase}: {state.message}")
    return ended(0, "all three phases are done: full operation")


def _phase(person: str, engagement: str | None) -> Phase | None:
    with services() as opened:
        return assignment_of(register_of(opened), person, engagement).phase


def _require_milestones(person: str, engagement: str | None) -> None:
    """Raises Waiting while ramp-up lacks a milestone."""
    with services() as opened:
        known = register_of(opened)
        require_open(opened, known, assignment_of(known, person, engagement))
