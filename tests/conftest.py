"""One sandbox process for each pytest worker; every test that asks for it finds it in its starting state."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import stamina
from hypothesis import settings
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]

from onboard.connectors import http
from onboard.ledger import Ledger
from onboard.sandbox.client import SandboxClient, SandboxProcess
from tests.postgres import Postgres, postgres, ships

# How long an example takes says how busy the machine is, and nothing else.
settings.register_profile("onboard", deadline=None)
settings.load_profile("onboard")

#: Tests below these folders share something that takes long to start, so that each folder's run on one worker.
TOGETHER = ("tests/flows/",)
#: Of this file the tests of one story run on one worker, which prepares it once.
STORIES = "tests/crash/test_kill.py"


class Together(LoadGroupScheduling):  # type: ignore[misc]
    """Every test goes to the next free worker, except those that belong together.

    The marker `xdist_group` would say it too, but has no effect from pytest 9.2 on (pytest-xdist 3.8).
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(STORIES):
            return nodeid.rpartition("-")[0]
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together | None:
    """What hands out the tests; None where `--dist` asks for something else."""
    return Together(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many points the tests of tests/crash found, and how many of them they tried."""
    ended = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())]
    told = [json.loads(value) for report in ended for name, value in report.user_properties if name == "crash"]
    if told:
        points, struck = {story: found for story, found, _ in told}, sum(reached for _, _, reached in told)
        found = f"{sum(points.values())} points in {len(points)} stories"
        terminalreporter.write_line(f"Crash matrix: {struck} of {found} struck; all of them: make crash")


@pytest.fixture(scope="session", autouse=True)
def impatient() -> None:
    """Reads that fail are tried again as often as ever, but at once: tests of systems that are down wait for nothing.

    What a vendor asks to wait for is still waited for, and what runs in a process of its own waits as shipped.
    """
    http.RETRIES = stamina.RetryingCaller(attempts=3, timeout=60.0, wait_initial=0.01, wait_max=0.05, wait_jitter=0.0)


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    process = SandboxProcess()
    yield process
    process.stop()


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxClient:
    sandbox_process.client.reset()
    return sandbox_process.client


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL for this pytest worker. Skipped only where no server ships for the platform, and never in CI."""
    if not (ships() or os.environ.get("CI")):
        pytest.skip("no wheel with a PostgreSQL server ships for this platform")
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def begun(postgres_server: Postgres) -> str:
    """A database in which a ledger was begun, to be copied."""
    Ledger.begin(postgres_server.create("begun"), lambda: datetime.now(UTC)).close()
    return "begun"
