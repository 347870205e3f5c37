"""Discovery: knowledge transfer, read-only."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import concluded, named
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.lifecycle.discovery import start


@flow(name="discovery", flow_run_name=named("discovery"), retries=0)
def discovery(person: str, engagement: str | None = None, requested_by: str = "scheduler") -> State[Any]:
    """Start a person's assignment, or go on with it; grants wait for their approval."""
    return concluded(
        lambda services, actor: start(services, person, engagement, actor), "discovery", person, requested_by
    )
