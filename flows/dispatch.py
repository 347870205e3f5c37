"""From the command line to a deployment, followed to its end. Imported only where a Prefect API is configured."""

from __future__ import annotations

from typing import Any

from onboard.flows.running import STATES
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from onboard.errors import BadInput, SystemFailed

#: Every flow is deployed under this name, as prefect.yaml says: `discovery/onboard`.
DEPLOYMENT = "onboard"


def dispatch(flow: str, parameters: dict[str, Any], *, timeout: float) -> tuple[int, str]:
    """Run a flow's deployment and wait for its end: our exit code, and the state's name with its message.

    Raises BadInput where it isn't deployed, SystemFailed where it didn't end within `timeout` seconds or ended in a
    state that isn't one of ours (crashed, cancelled).
    """
    try:
        run = run_deployment(f"{flow}/{DEPLOYMENT}", parameters=parameters, timeout=timeout, poll_interval=1)
    except ObjectNotFound as error:
        raise BadInput.one(f"Flow {flow} isn't deployed. Deploy it: prefect --no-prompt deploy --all") from error
    return _outcome(run)


def _outcome(run: FlowRun) -> tuple[int, str]:
    state = run.state
    if state is None or not state.is_final():
        name = state.name if state else "unknown"
        raise SystemFailed(
            "prefect", f"run {run.name} is {name} and goes on by itself: see prefect flow-run inspect {run.id}"
        )
    codes = {name: code for code, name in STATES.items()}
    if state.name not in codes:
        raise SystemFailed("prefect", f"run {run.name} ended {state.name}: see prefect flow-run logs {run.id}")
    return codes[state.name], f"{run.name}: {state.name}. {state.message or ''}".strip()
