"""Offboarding: everything goes, everywhere, and is read back."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import Engagement, Person, RequestedBy, concluded, named
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.lifecycle.offboarding import offboard


@flow(name="offboarding", flow_run_name=named("offboarding"), retries=0, persist_result=False)
def offboarding(
    person: Person, engagement: Engagement | None = None, requested_by: RequestedBy = "scheduler"
) -> State[Any]:
    """Record that a person left (one engagement, or altogether), take it all away and verify."""
    return concluded(
        lambda services, actor: offboard(services, person, engagement, actor), "offboarding", person, requested_by
    )
