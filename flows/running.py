"""What every flow does around its lifecycle function: build the services, leave an artifact, end in a state that says so.

A run never waits for a person. Names, parameters, results and artifacts hold opaque ids only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from onboard.errors import OnboardError
from onboard.lifecycle.gates import assignment_of
from onboard.lifecycle.reconciling import Report
from onboard.lifecycle.standing import register_of
from onboard.lifecycle.story import rows, summary
from onboard.model import Actor
from onboard.settings import Settings
from onboard.wiring import Services, build

#: The name of the state that a run ends in, by exit code: what came of it, at a glance.
STATES = {0: "Done", 2: "BadInput", 3: "Refused", 4: "Findings", 5: "SystemFailed", 6: "Waiting"}
ENDED_WELL = frozenset({0, 4, 6})


def now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


def services() -> Services:
    """The services that the environment and onboard.toml describe."""
    return build(Settings.load(os.environ, Path.cwd()), now)


def named(event: str) -> Callable[[], str]:
    """A run's name: the event, the role where there is one, and the person's id in short."""

    def name() -> str:
        parameters: dict[str, Any] = flow_run.parameters
        person = parameters.get("person", "")
        try:
            role = assignment_of(register_of(services()), person, parameters.get("engagement")).role
        except OnboardError:
            role = ""
        return " ".join(part for part in (event, role, f"{person[:6]}…") if part)

    return name


def concluded(step: Callable[[Services, Actor], Report], event: str, person: str, requested_by: str) -> State[Any]:
    """Run one lifecycle step, keep its plan as an artifact, and end in the state that its exit code names."""
    try:
        report = step(services(), Actor(requested_by, "prefect"))
    except OnboardError as error:
        return ended(error.exit_code, str(error))
    create_markdown_artifact(key=f"{event}-{person[2:10]}", markdown=_markdown(report, person), description=event)
    digests = ", ".join(part.digest[:8] for part in report.open)
    return ended(report.exit_code, summary(report) + (f" · open: {digests}" if digests else ""))


def ended(code: int, message: str) -> State[Any]:
    """The final state for an exit code. Waiting and findings aren't failures of the run."""
    kind = Completed if code in ENDED_WELL else Failed
    return kind(name=STATES.get(code, "Fault"), message=message)


def table(event: str, lines: list[dict[str, str]], description: str) -> None:
    """Keep a table as an artifact."""
    create_table_artifact(key=event, table=lines, description=description)


def _markdown(report: Report, person: str) -> str:
    lines = [f"**{person[:10]}** · policies {report.plan.policy[:7]} · read {report.plan.at:%Y-%m-%d %H:%M:%S} UTC", ""]
    found = rows(report, person)
    if found:
        lines += ["| | system | what | level | why |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells()) + " |" for row in found]
    lines += ["", summary(report)]
    lines += [f"\nPlan `{part.digest[:8]}` ({part.authority}) is open." for part in report.open]
    return "\n".join(lines)
