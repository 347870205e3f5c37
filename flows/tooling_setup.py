"""Tooling setup: controlled access, roles and permissions crystal clear."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import Engagement, Person, RequestedBy, concluded, named
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.lifecycle.tooling_setup import set_up_tooling


@flow(name="tooling-setup", flow_run_name=named("tooling-setup"), retries=0, persist_result=False)
def tooling_setup(
    person: Person, engagement: Engagement | None = None, requested_by: RequestedBy = "scheduler"
) -> State[Any]:
    """Bring a person's assignment into tooling setup once discovery's gate is open."""
    return concluded(
        lambda services, actor: set_up_tooling(services, person, engagement, actor),
        "tooling-setup",
        person,
        requested_by,
    )
