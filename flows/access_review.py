"""The nightly access review: what is, compared with what should be, on every system."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import RequestedBy, actor, ended, now, services, table
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.errors import OnboardError
from onboard.review.access import Review, review


def _name() -> str:
    return f"access-review {now():%Y-%m-%d}"


@flow(name="access-review", flow_run_name=_name, retries=0, persist_result=False)
def access_review(requested_by: RequestedBy = "scheduler") -> State[Any]:
    """Review everybody's access and keep the findings as an artifact. Changes no system."""
    try:
        with services() as opened:
            found = review(opened, actor(requested_by))
    except OnboardError as error:
        return ended(error.exit_code, str(error))
    counts = f"new {found.new} · still open {found.still_open} · resolved {found.resolved}"
    told = f"{counts} · unknown {len(found.unknown)}"
    table("access-review", _lines(found), f"{found.at:%Y-%m-%d %H:%M} UTC · {told}")
    return ended(found.exit_code, told)


def _lines(found: Review) -> list[dict[str, str]]:
    """The findings, then what could not be read. A stranger's handle stays out: `onboard review` shows it."""
    findings = [
        {
            "severity": finding.severity.value,
            "kind": finding.kind.value,
            "who": finding.person[:10] if finding.person else "a stranger",
            "resource": str(finding.resource),
            "level": finding.level,
            "why": finding.message,
        }
        for finding in found.findings
    ]
    unknown = [
        {"severity": "", "kind": "unknown", "who": "", "resource": resource, "level": "", "why": reason}
        for resource, reason in found.unknown
    ]
    return [*findings, *unknown]
