"""The sweep: what was asked for or taken beside a role goes when its time is over; who has to hear of it is told."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import RequestedBy, actor, ended, services
from prefect import flow
from prefect.client.schemas.objects import State

from onboard.errors import OnboardError
from onboard.ledger.records import Result
from onboard.lifecycle.extras import sweep as take_back
from onboard.lifecycle.extras import tell


@flow(name="sweep", retries=0, persist_result=False)
def sweep(requested_by: RequestedBy = "scheduler") -> State[Any]:
    """Take back the extras that are over, and announce each broken glass that nobody was told of yet."""
    try:
        with services() as opened:
            by = actor(requested_by)
            swept = take_back(opened, by)
            told, failed = tell(opened, by)
    except OnboardError as error:
        return ended(error.exit_code, str(error))
    removed = swept.report.removed if swept.report else ()
    done = sum(outcome.result is Result.DONE for outcome in removed)
    counts = f"people {len(swept.people)} · taken back {done} · failed {len(removed) - done} · announced {len(told)}"
    untold = f" · not announced {len(failed)}" if failed else ""
    code = swept.report.exit_code if swept.report else 0
    return ended(5 if failed else code, f"{counts}{untold}")
