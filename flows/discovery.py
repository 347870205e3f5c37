"""Discovery: knowledge transfer, read-only."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import Engagement, Person, RequestedBy, concluded, named
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.lifecycle.discovery import start


@flow(name="discovery", flow_run_name=named("discovery"), retries=0, persist_result=False)
def discovery(
    person: Person, engagement: Engagement | None = None, requested_by: RequestedBy = "scheduler"
) -> State[Any]:
    """Start a person's assignment, or go on with it; grants wait for their approval."""
    return concluded(
        lambda services, actor: start(services, person, engagement, actor), "discovery", person, requested_by
    )
