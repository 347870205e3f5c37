"""One sandbox process for each pytest worker; every test that asks for it finds it in its starting state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onboard.sandbox.client import SandboxClient, SandboxProcess


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    process = SandboxProcess()
    yield process
    process.stop()


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxClient:
    sandbox_process.client.reset()
    return sandbox_process.client
