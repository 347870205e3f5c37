"""Role change: the old role ends at once, the new one waits for its approval."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import concluded, named
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.lifecycle.role_change import change_role


@flow(name="role-change", flow_run_name=named("role-change"), retries=0)
def role_change(person: str, role: str, engagement: str | None = None, requested_by: str = "scheduler") -> State[Any]:
    """Record the new role, take away what the old one gave, propose what the new one gives."""
    return concluded(
        lambda services, actor: change_role(services, person, engagement, role, actor),
        "role-change",
        person,
        requested_by,
    )
