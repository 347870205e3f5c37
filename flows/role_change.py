"""Role change: the old role ends at once, the new one waits for its approval."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import Engagement, Person, RequestedBy, Role, concluded, named
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.lifecycle.role_change import change_role


@flow(name="role-change", flow_run_name=named("role-change"), retries=0, persist_result=False)
def role_change(
    person: Person, role: Role, engagement: Engagement | None = None, requested_by: RequestedBy = "scheduler"
) -> State[Any]:
    """Record the new role, take away what the old one gave, propose what the new one gives."""
    return concluded(
        lambda services, actor: change_role(services, person, engagement, role, actor),
        "role-change",
        person,
        requested_by,
    )
