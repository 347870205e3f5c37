"""Ramp-up: small first tasks; write access is earned by milestones."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import Engagement, Person, RequestedBy, concluded, named
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.lifecycle import ramp_up as lifecycle


@flow(name="ramp-up", flow_run_name=named("ramp-up"), retries=0, persist_result=False)
def ramp_up(
    person: Person, engagement: Engagement | None = None, requested_by: RequestedBy = "scheduler"
) -> State[Any]:
    """Bring a person's assignment into ramp-up, and into full operation once its milestones are reached."""
    return concluded(
        lambda services, actor: lifecycle.ramp_up(services, person, engagement, actor), "ramp-up", person, requested_by
    )
