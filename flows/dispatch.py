"""From the command line to a deployment, followed to its end. Imported only where a Prefect API is configured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from onboard.flows.running import STATES
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, WorkPoolStatus
from prefect.exceptions import ObjectNotFound
from prefect.states import Pending

from onboard.errors import BadInput, SystemFailed

#: Every flow is deployed under this name, and run by the workers of this pool, as prefect.yaml says.
DEPLOYMENT = POOL = "onboard"
#: Seconds between two looks at a run, and between two questions whether anybody is there to take it up.
LOOK_EVERY = 0.5
ASK_EVERY = 3.0
DEPLOY = f"prefect work-pool create {POOL} --type process; prefect --no-prompt deploy --all"


def dispatch(
    flow: str, parameters: Mapping[str, Any], *, timeout: float, say: Callable[[str], None]
) -> tuple[int, str]:
    """Run a flow's deployment and follow it: our exit code, and what came of it. `say` is told each change of state.

    Exit code 1 is a run that failed without one of our states: a fault. Raises BadInput where the flow isn't deployed
    as this onboard knows it, SystemFailed where Prefect doesn't answer, where the run crashed or was cancelled, and
    where it hasn't ended within `timeout` seconds: it goes on then.
    """
    with _answers(flow), get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(f"{flow}/{DEPLOYMENT}")
        run = client.create_flow_run_from_deployment(deployment.id, parameters=dict(parameters))
        say(f"Prefect runs {flow} as {run.id}.")
        return _outcome(_followed(client, run, time.monotonic() + timeout, say))


def _followed(client: SyncPrefectClient, run: FlowRun, deadline: float, say: Callable[[str], None]) -> FlowRun:
    """The run as it is at its end, or at the deadline."""
    shown, told, asked = "", "", time.monotonic()
    while True:
        state = run.state or Pending()
        if state.name and state.name != shown:
            shown = state.name
            say(f"  {state.timestamp:%H:%M:%S} UTC  {shown}")
        if state.is_final() or time.monotonic() >= deadline:
            return run
        if state.is_scheduled() and time.monotonic() - asked >= ASK_EVERY:
            asked = time.monotonic()
            if (waits := _untaken(client, run)) not in ("", told):
                told = waits
                say(told)
        time.sleep(LOOK_EVERY)
        run = client.read_flow_run(run.id)


def _untaken(client: SyncPrefectClient, run: FlowRun) -> str:
    """Why nobody takes a run up, with the way out; empty where a worker is there and only has to come to it."""
    name = run.work_pool_name or POOL
    pool = client.read_work_pool(name)
    if pool.is_paused:
        return f"  The work pool {name} is paused. Let it go on: prefect work-pool resume {name}"
    if pool.status is WorkPoolStatus.READY and run.state_name != "Late":
        return ""
    return f"  No worker of the work pool {name} takes it up. Start one: prefect worker start --pool {name}"


def _outcome(run: FlowRun) -> tuple[int, str]:
    state: State[Any] | None = run.state
    if state is None or not state.is_final():
        where = state.name if state else "unknown"
        reason = f"the run is still {where} and goes on by itself: prefect flow-run inspect {run.id}"
        raise SystemFailed("prefect", reason)
    told = f"{run.name}: {state.name}. {state.message or ''}".strip()
    codes = {name: code for code, name in STATES.items()}
    if state.name in codes:
        return codes[state.name], told
    if state.is_failed():
        return 1, f"{told}\nIts log: prefect flow-run logs {run.id}"
    raise SystemFailed(
        "prefect", f"the run ended {state.name}, so what it did is uncertain. Run it again: that is safe."
    )


@contextmanager
def _answers(flow: str) -> Iterator[None]:
    """What Prefect's own errors mean here. Its address stays out: it may carry a password."""
    try:
        yield
    except ObjectNotFound:
        raise BadInput.one(f"The flow {flow} isn't deployed. Deploy it, from onboard's folder: {DEPLOY}") from None
    except httpx.HTTPStatusError as error:
        raise _answered(flow, error.response.status_code) from None
    except (httpx.HTTPError, httpx.InvalidURL, RuntimeError) as error:
        raise SystemFailed(
            "prefect",
            f"its API doesn't answer ({type(error).__name__}). Check PREFECT_API_URL, or start it: prefect server start"
            "\nTo do without Prefect, unset PREFECT_API_URL. Doing it again is safe.",
        ) from None


def _answered(flow: str, status: int) -> BadInput | SystemFailed:
    if status in (401, 403):
        return SystemFailed("prefect", f"its API answered {status}. Set PREFECT_API_AUTH_STRING to its credentials.")
    if status in (409, 422):
        return BadInput.one(f"The flow {flow} was deployed from another version of onboard. Deploy it again: {DEPLOY}")
    return SystemFailed("prefect", f"its API answered {status}. Doing it again is safe.")
