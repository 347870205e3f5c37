"""The nightly access review: what is, compared with what should be, on every system."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import ended, services, table
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.errors import OnboardError
from onboard.model import Actor
from onboard.review.access import review


@flow(name="access-review", flow_run_name="access-review", retries=0)
def access_review(requested_by: str = "scheduler") -> State[Any]:
    """Review everybody's access and keep the findings as an artifact. Changes no system."""
    try:
        found = review(services(), Actor(requested_by, "prefect"))
    except OnboardError as error:
        return ended(error.exit_code, str(error))
    lines = [
        {
            "severity": finding.severity.value,
            "kind": finding.kind.value,
            "who": (finding.person or "a stranger")[:10],
            "resource": str(finding.resource),
            "level": finding.level,
            "why": finding.message,
        }
        for finding in found.findings
    ]
    table("access-review", lines, f"{len(lines)} findings, {len(found.unknown)} unknown")
    counts = f"new {found.new} · still open {found.still_open} · resolved {found.resolved}"
    return ended(found.exit_code, f"{counts} · unknown {len(found.unknown)}")
