"""The nightly access review: what is, compared with what should be, on every system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onboard.flows.running import RequestedBy, actor, ended, now, services, table
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.errors import OnboardError
from onboard.lasting import moment
from onboard.ledger.records import Result
from onboard.lifecycle.approvals import late
from onboard.lifecycle.erasure import retain
from onboard.lifecycle.nightly import correct
from onboard.model import Actor
from onboard.review.access import Review, review
from onboard.vouching import vouch
from onboard.wiring import Services


def _name() -> str:
    return f"access-review {now():%Y-%m-%d}"


@flow(name="access-review", flow_run_name=_name, retries=0, persist_result=False)
def access_review(requested_by: RequestedBy = "scheduler") -> State[Any]:
    """Take away what time has ended, review everybody's access, keep the findings, forget what is due, sign the ledger.

    What couldn't be corrected doesn't keep the review from running: it says so in the end.
    """
    try:
        with services() as opened:
            corrected = _corrected(opened, actor(requested_by))
            found = review(opened, actor(requested_by))
            erased = len(retain(opened, actor(requested_by)))
            waiting = len(late(opened))
            signed = _signed(opened, actor(requested_by))
    except OnboardError as error:
        return ended(error.exit_code, str(error))
    counts = f"new {found.new} · still open {found.still_open} · resolved {found.resolved}"
    forgotten = f" · erased {erased}" if erased else ""
    overdue = f" · plans overdue {waiting}" if waiting else ""
    told = f"{corrected.told} · {counts} · unknown {len(found.unknown)}{overdue}{forgotten} · {signed.told}"
    if found.untold:
        told += f" · alarms not told {len(found.untold)}"
    if found.fallen_back:
        told += f" · {found.fallen_back}"
    table("access-review", _lines(found), f"{moment(found.at)} · {told}")
    return ended(5 if corrected.failed or signed.failed else found.exit_code, told)


@dataclass(frozen=True)
class _Done:
    """What came of a step, in words, and whether something of it failed."""

    told: str
    failed: bool = False


def _corrected(opened: Services, by: Actor) -> _Done:
    try:
        report = correct(opened, by)
    except OnboardError as error:
        return _Done(f"not corrected: {error}", failed=True)
    done = [o for o in report.removed if o.result is Result.DONE] if report else []
    return _Done(f"corrected {len(done)}", failed=bool(report and report.failed))


def _signed(opened: Services, by: Actor) -> _Done:
    """The last step, so that the checkpoint speaks for the others too. Who wasn't told, `ledger checkpoint` names."""
    try:
        taken = vouch(opened, by)
    except OnboardError as error:
        return _Done(f"not signed: {error}", failed=True)
    missed = f", not told to {len(taken.failed)} of {len(taken.failed) + len(taken.told)}" if taken.failed else ""
    return _Done(f"signed to entry {taken.checkpoint.size}{missed}", failed=bool(taken.failed))


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
