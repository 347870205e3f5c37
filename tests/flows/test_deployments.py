"""The flows deployed as prefect.yaml says, run by a worker, and started from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from tests.flows.conftest import Company, private_words
from tests.flows.prefect_server import TOP, Prefect, eventually, free_port

FLOWS = {"discovery", "tooling-setup", "ramp-up", "onboarding", "role-change", "offboarding", "access-review", "sweep"}


@pytest.fixture(scope="session")
def deployed(prefect_server: Prefect) -> Prefect:
    """The server, with everything deployed by the commands that prefect.yaml names."""
    prefect_server.command("work-pool", "create", "onboard", "--type", "process")
    prefect_server.command("--no-prompt", "deploy", "--all")
    return prefect_server


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout and unpacked as pip would."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=TOP, check=True, capture_output=True)
    (built,) = folder.glob("onboard-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def dispatching(deployed: Prefect, prefect: Prefect, company: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    """The company, with a command line that dispatches to the server."""
    monkeypatch.setenv("PREFECT_API_URL", deployed.url)
    return company


def outside(company: Company, prefect: Prefect, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "onboard", *arguments],
        env={
            **prefect.env,
            **company.env,
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def scheduled(prefect: Prefect) -> list[dict[str, Any]]:
    """The access reviews to come."""
    runs = {"state": {"type": {"any_": ["SCHEDULED"]}}}
    return prefect.find("flow_runs", flow_runs=runs, flows={"name": {"any_": ["access-review"]}})


def test_every_flow_is_deployed_for_the_process_workers(deployed: Prefect) -> None:
    deployments = {one["entrypoint"]: one for one in deployed.find("deployments")}

    names = {name.replace("-", "_") for name in FLOWS}
    assert set(deployments) == {f"onboard.flows.{name}.{name}" for name in names}
    for one in deployments.values():
        assert (one["name"], one["work_pool_name"]) == ("onboard", "onboard")
        assert one["pull_steps"] in (None, [])
        assert one["job_variables"] == {}
        assert one["enforce_parameter_schema"] is True


def test_the_review_is_scheduled_nightly_and_one_at_a_time(deployed: Prefect) -> None:
    (review,) = (one for one in deployed.find("deployments") if one["entrypoint"].endswith("access_review"))

    assert [(s["slug"], s["active"], s["schedule"]) for s in review["schedules"]] == [
        ("nightly", True, {"cron": "15 2 * * *", "timezone": "Europe/Berlin", "day_or": True})
    ]
    assert review["global_concurrency_limit"]["limit"] == 1
    assert review["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    times = [run["expected_start_time"] for run in eventually("a scheduled run", lambda: scheduled(deployed))]
    assert {_in_berlin(time) for time in times} == {"02:15"}


def _in_berlin(time: str) -> str:
    from datetime import datetime

    return f"{datetime.fromisoformat(time).astimezone(ZoneInfo('Europe/Berlin')):%H:%M}"


def test_a_name_is_refused_as_a_parameter_before_it_is_kept(deployed: Prefect) -> None:
    (review,) = (one for one in deployed.find("deployments") if one["entrypoint"].endswith("discovery.discovery"))

    answer = requests.post(
        f"{deployed.url}/deployments/{review['id']}/create_flow_run",
        json={"parameters": {"person": "Norbert Nobody"}},
        timeout=10,
    )

    assert answer.status_code in (409, 422)
    assert "Norbert" not in deployed.everything_kept()


@pytest.fixture
def worker(deployed: Prefect, company: Company, wheel: Path) -> Iterator[None]:
    """A worker on whose machine the wheel is installed, in a folder that isn't the checkout."""
    env = {
        **company.env,
        "HOME": str(deployed.folder),
        "PYTHONPATH": str(wheel),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }
    where = [sys.executable, "-c", "import importlib.util as u; print(u.find_spec('onboard.flows.discovery').origin)"]
    found = subprocess.run(
        where, cwd=deployed.folder, env={**deployed.env, **env}, capture_output=True, check=True, text=True
    )
    assert Path(found.stdout.strip()) == wheel / "onboard" / "flows" / "discovery.py"
    with deployed.child("worker", "worker", "start", "--pool", "onboard", "--limit", "1", env=env):
        yield


def test_a_start_is_run_by_a_worker_from_the_wheel_and_waits(
    deployed: Prefect, company: Company, worker: None, wheel: Path
) -> None:
    company.record("nda_signed")

    started = outside(company, deployed, "start", company.marta)

    assert started.returncode == 6, started.stderr
    states = [line.split()[-1] for line in started.stderr.splitlines() if line.startswith("  ")]
    assert states[-2:] == ["Running", "Waiting"]
    assert f"discovery backend-engineer {company.marta[:6]}…: Waiting. 6 wait for approval" in started.stdout
    assert "Next: onboard approve " in started.stdout
    assert company.sandbox.writes() == []
    (kept,) = deployed.runs_about(company.marta)
    assert kept["parameters"]["requested_by"] == "operator"
    deployed.log_of(kept["id"])
    assert private_words(company.sandbox, deployed.everything_kept()) == set()


@pytest.fixture
def unattended(deployed: Prefect) -> Iterator[str]:
    """The flow that is deployed to a work pool that never had a worker, for once."""
    pool = {"name": "unattended", "type": "process"}
    assert requests.post(f"{deployed.url}/work_pools/", json=pool, timeout=10).ok
    (flow,) = (one for one in deployed.find("deployments") if one["entrypoint"].endswith("ramp_up"))
    _move(deployed, flow["id"], "unattended")
    yield "ramp-up"
    _move(deployed, flow["id"], "onboard")


def _move(prefect: Prefect, deployment: str, pool: str) -> None:
    moved = requests.patch(f"{prefect.url}/deployments/{deployment}", json={"work_pool_name": pool}, timeout=10)
    assert moved.ok, moved.text


def test_without_a_worker_it_says_so_and_the_run_goes_on(unattended: str, prefect: Prefect, company: Company) -> None:
    from onboard.flows.dispatch import dispatch

    from onboard.errors import SystemFailed

    told: list[str] = []
    with pytest.raises(SystemFailed, match=r"the run is still \w+ and goes on by itself: prefect flow-run inspect"):
        dispatch(unattended, {"person": company.marta}, timeout=4, say=told.append)

    assert (
        "  No worker of the work pool unattended takes it up. Start one: prefect worker start --pool unattended" in told
    )


def test_a_run_that_crashes_is_a_system_that_failed(deployed: Prefect, prefect: Prefect, company: Company) -> None:
    from onboard.flows.dispatch import dispatch

    from onboard.errors import SystemFailed

    def crash(_: str) -> None:
        _set_state(deployed, company.marta, {"type": "CRASHED", "name": "Crashed"})

    with pytest.raises(SystemFailed, match="the run ended Crashed, so what it did is uncertain"):
        dispatch("discovery", {"person": company.marta}, timeout=30, say=crash)


def test_a_fault_in_a_run_is_exit_code_1_and_says_where_its_log_is(
    deployed: Prefect, dispatching: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onboard.flows.dispatch import dispatch

    def fail(_: str) -> None:
        _set_state(deployed, dispatching.marta, {"type": "FAILED", "name": "Failed", "message": "KeyError at x.py:1."})

    code, message = dispatch("discovery", {"person": dispatching.marta}, timeout=30, say=fail)

    assert code == 1
    assert "Failed. KeyError at x.py:1.\nIts log: prefect flow-run logs " in message


def _set_state(prefect: Prefect, person: str, state: Mapping[str, str]) -> None:
    (run,) = prefect.runs_about(person)
    answer = requests.post(
        f"{prefect.url}/flow_runs/{run['id']}/set_state", json={"state": state, "force": True}, timeout=10
    )
    assert answer.ok, answer.text


def test_a_flow_that_is_not_deployed_says_how_to_deploy_it(prefect: Prefect) -> None:
    from onboard.flows.dispatch import dispatch

    from onboard.errors import BadInput

    with pytest.raises(BadInput, match=r"The flow unheard-of isn't deployed.*prefect --no-prompt deploy --all"):
        dispatch("unheard-of", {}, timeout=1, say=print)


def test_an_api_that_does_not_answer_is_exit_code_5_with_the_way_out(prefect: Prefect, company: Company) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    nobody = f"http://secret-user:secret-word@127.0.0.1:{free_port()}/api"

    with temporary_settings({PREFECT_API_URL: nobody}):
        started = company.onboard("start", company.marta, env={"PREFECT_API_URL": nobody})

    assert started.exit_code == 5
    assert "its API doesn't answer" in started.stderr
    assert "unset PREFECT_API_URL" in started.stderr
    assert "secret-word" not in started.stderr


def test_a_shut_gate_is_told_without_a_run(dispatching: Company, deployed: Prefect) -> None:
    before = dispatching.onboard("start", dispatching.marta, env={"PREFECT_API_URL": ""})
    assert before.exit_code == 6

    result = dispatching.onboard("advance", dispatching.marta)

    assert result.exit_code == 6
    assert "knowledge_transfer_done" in result.stderr
    assert deployed.runs_about(dispatching.marta) == []


def test_removals_run_here_even_where_prefect_is_down(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    company.record("nda_signed")

    for command in (("change-role", company.marta, "qa-engineer"), ("offboard", company.marta, "--yes")):
        result = company.onboard(*command)
        assert result.exit_code in (0, 6), result.output

    assert "left" in company.onboard("person", "show", company.marta).stdout


def test_the_command_line_does_not_import_prefect_for_its_help() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from onboard.cli.main import app;"
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0;"
        "sys.exit('prefect' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
