"""What every flow does around its lifecycle function: build the services, leave an artifact, end in a telling state.

A run never waits for a person. Its name, parameters, logs, states and artifacts hold opaque ids only, and nothing is
kept as a result: whoever may look at Prefect isn't thereby one who may see names.
"""

from __future__ import annotations

import os
import socket
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from logging import Logger
from pathlib import Path
from typing import Annotated, Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.events.worker import EventsWorker
from prefect.logging import get_logger, get_run_logger
from prefect.logging.handlers import APILogWorker
from prefect.logging.loggers import LoggingAdapter
from prefect.runtime import flow_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed, Failed
from pydantic import Field

from onboard import wiring
from onboard.errors import OnboardError
from onboard.ledger import Register
from onboard.lifecycle.gates import assignment_of
from onboard.lifecycle.notices import announce
from onboard.lifecycle.reconciling import Report
from onboard.lifecycle.story import rows, summary
from onboard.model import PERSON_ID, SCHEDULER, SLUG, Actor
from onboard.settings import Settings
from onboard.wiring import Services

# Prefect keeps parameters for good and shows them to everybody, so that its API takes nothing but ids.
Person = Annotated[str, Field(pattern=f"^{PERSON_ID.pattern}$", description="A person's id, in full.")]
Role = Annotated[str, Field(pattern=f"^{SLUG.pattern}$", description="A role that policy knows.")]
Engagement = Annotated[str, Field(pattern=f"^{SLUG.pattern}$", description="Where the person is in several.")]
RequestedBy = Annotated[
    str,
    Field(
        pattern=f"^(operator|scheduler|{PERSON_ID.pattern})$",
        description="Who asks, as they say themselves: the ledger notes that Prefect told it, and it approves nothing.",
    ),
]

#: The name of the state that a run ends in, by exit code: what came of it, at a glance.
STATES = {0: "Done", 2: "BadInput", 3: "Refused", 4: "Findings", 5: "SystemFailed", 6: "Waiting"}
ENDED_WELL = frozenset({0, 4, 6})

#: Seconds in which logs and events, each, are sent at the end.
FLUSHED_WITHIN = 10.0


@contextmanager
def many_in_this_process() -> Iterator[None]:
    """Runs one after another in this process, as in a rehearsal: without heartbeats, which hold each end up by 1 s."""
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


class Fault(Exception):
    """A fault of onboard's, named by its type and place. Its text, which may hold anything, is in a file here."""


def now() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)


@contextmanager
def services() -> Iterator[Services]:
    """The services that this worker's environment and onboard.toml describe; the ledger is closed at the end.

    Where the policies can't be read, those last in force hold. Raises OnboardError for what is wrong with settings or
    with what is done, and Fault for everything else.
    """
    with told():
        built = wiring.build(Settings.load(os.environ, Path.cwd()), now, _logger().warning, regardless=True)
        try:
            yield built
        finally:
            built.close()


def _logger() -> LoggingAdapter | Logger:
    """The run's own log; outside of one the process's."""
    return get_run_logger() if flow_run.id else get_logger("onboard")


@contextmanager
def register() -> Iterator[Register]:
    """The register as it stands, without anything else. Raises as `services`."""
    with told():
        ledger = wiring.open_ledger(Settings.load(os.environ, Path.cwd()), now)
        try:
            yield ledger.register()
        finally:
            ledger.close()


@contextmanager
def told() -> Iterator[None]:
    """Lets our errors through, which are written to be read, and turns every other into a Fault.

    Prefect puts an exception's text in its logs and states.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, OnboardError) and type(error) is not OnboardError:
            raise
        raise _fault(error).with_traceback(error.__traceback__) from None


def _fault(error: Exception) -> Fault:
    handle, path = tempfile.mkstemp(prefix="onboard-fault-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write("".join(traceback.format_exception(error)))
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return Fault(
        f"{type(error).__name__} at {where}. That is a fault of onboard's: please report it. The whole of it is in"
        f" {path} on {socket.gethostname()}, for the worker's user only. Running the flow again is safe."
    )


def named(event: str) -> Callable[[], str]:
    """A run's name: the event, the role where there is one, and the person's id in short."""

    def name() -> str:
        parameters: dict[str, Any] = flow_run.parameters
        person = str(parameters.get("person", ""))
        return " ".join(part for part in (event, _role(person, parameters.get("engagement")), f"{person[:6]}…") if part)

    return name


def _role(person: str, engagement: str | None) -> str:
    """The person's role now; empty where the ledger can't say, for the flow itself will say why."""
    try:
        with register() as known:
            return assignment_of(known, person, engagement).role
    except (OnboardError, Fault):
        return ""


def concluded(step: Callable[[Services, Actor], Report], event: str, person: str, requested_by: str) -> State[Any]:
    """Take one lifecycle step, keep its plan as an artifact, and end in the state that its exit code names."""
    try:
        with services() as opened:
            report = step(opened, actor(requested_by))
            announce(opened, _logger().warning)
    except OnboardError as error:
        kept(event, person, [str(error)])
        return ended(error.exit_code, str(error))
    kept(event, person, _story(report, person))
    digests = ", ".join(part.digest[:8] for part in report.open)
    by_hand = f" · {len(report.tally.open)} to do by hand" if report.tally.open else ""
    told = summary(report) + by_hand + (f" · open: {digests}" if digests else "")
    if opened.fallen_back:
        return ended(report.exit_code if report.exit_code in (3, 5) else 4, f"{told} · {opened.fallen_back}")
    return ended(report.exit_code, told)


def actor(requested_by: str) -> Actor:
    """Who asked, as Prefect was told."""
    return Actor(requested_by, SCHEDULER.authenticated_by)


def ended(code: int, message: str) -> State[Any]:
    """The final state for an exit code. Waiting and findings aren't failures of the run."""
    kind = Completed if code in ENDED_WELL else Failed
    return kind(name=STATES[code], message=message)


def kept(event: str, person: str, lines: Iterable[str]) -> None:
    """Keep a page about a person as an artifact; Prefect holds the pages before it under the same key."""
    heading = f"**{event} · {person[:10]}** · {now():%Y-%m-%d %H:%M:%S} UTC"
    create_markdown_artifact(
        key=f"{event}-{person[2:10]}", markdown="\n".join([heading, "", *lines]), description=f"{event} {person[:10]}"
    )


def table(event: str, lines: list[dict[str, str]], description: str) -> None:
    """Keep a table as an artifact."""
    create_table_artifact(key=event, table=lines, description=description)


def rules(headings: Sequence[str], cells: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    for row in (headings, ["---"] * len(headings), *cells):
        yield "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in row) + " |"


def _story(report: Report, person: str) -> Iterator[str]:
    yield f"Policies {report.plan.policy[:7]}, systems read {report.plan.at:%H:%M:%S} UTC."
    yield ""
    found = rows(report, person)
    if found:
        yield from rules(("", "system", "what", "level", "why"), [row.cells() for row in found])
        yield ""
    yield summary(report)
    for part in report.open:
        yield f"\nPlan `{part.digest[:8]}` ({part.authority}) is open."
        yield from (f"\nHazard {hazard.name}: {hazard.message}" for hazard in part.hazards)
    for task in report.tally.open:
        yield f"\nTask `{task.id}`, to be done by hand until {task.due}: {task.what} ({task.system})."
    for _, fact in report.waiting:
        yield f"\nLacks {fact}: `onboard record {person[:10]} {fact}`"


def flush() -> None:
    """Send what Prefect's client in this process still holds back, before its server is stopped.

    At the process's end it would otherwise try for a minute to reach a server that isn't there any more.
    """
    APILogWorker.drain_all(timeout=FLUSHED_WITHIN)
    EventsWorker.drain_all(timeout=FLUSHED_WITHIN)
