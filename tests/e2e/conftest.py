from __future__ import annotations

from pathlib import Path

import pytest

from onboard.sandbox.client import SandboxClient
from tests.cli.house import House
from tests.e2e.shell import Shell


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes a minute; runs by default")


@pytest.fixture
def shell(sandbox: SandboxClient, tmp_path: Path) -> Shell:
    """A terminal whose environment points onboard at the sandbox."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(folder, sandbox.env)


@pytest.fixture
def house(shell: Shell, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> House:
    """The same folder with everybody entered and the engagement loaded, for what a test isn't about."""
    for variable in ("VAULT_TOKEN", "PREFECT_API_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(shell.folder))
    monkeypatch.chdir(shell.folder)
    made = House(shell.folder, sandbox)
    made.arrive()
    return made
