"""Onboarding: the three phases in order, each as far as facts and approvals on record allow."""

from __future__ import annotations

from typing import Any

from onboard.flows.discovery import discovery
from onboard.flows.ramp_up import ramp_up
from onboard.flows.running import ended, named
from onboard.flows.tooling_setup import tooling_setup
from prefect import flow
from prefect.client.schemas.objects import State


@flow(name="onboarding", flow_run_name=named("onboarding"), retries=0)
def onboarding(person: str, engagement: str | None = None, requested_by: str = "scheduler") -> State[Any]:
    """Discovery, tooling setup, ramp-up: stops at the first that waits or fails, and goes on there the next time."""
    state: State[Any] | None = None
    for phase in (discovery, tooling_setup, ramp_up):
        state = phase(person, engagement, requested_by, return_state=True)
        if state.name != "Done":
            return type(state)(type=state.type, name=state.name, message=f"{phase.name}: {state.message}")
    return ended(0, "all three phases are done: full operation")
