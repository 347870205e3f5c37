"""One sandbox process for each pytest worker; every test that asks for it finds it in its starting state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]

from onboard.sandbox.client import SandboxClient, SandboxProcess

#: Tests below these folders share something that takes long to start, so that each folder's run on one worker.
TOGETHER = ("tests/flows/",)


class Together(LoadGroupScheduling):  # type: ignore[misc]
    """Every test goes to the next free worker, except those that belong together.

    The marker `xdist_group` would say it too, but has no effect from pytest 9.2 on (pytest-xdist 3.8).
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together | None:
    """What hands out the tests; None where `--dist` asks for something else."""
    return Together(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    process = SandboxProcess()
    yield process
    process.stop()


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxClient:
    sandbox_process.client.reset()
    return sandbox_process.client
