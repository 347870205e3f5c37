from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from onboard.cli.main import app
from onboard.sandbox.client import SandboxClient, SandboxProcess
from tests.cli.house import House

Onboard = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and a user without settings, variables or a Vault login."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return folder


@pytest.fixture
def onboard(home: Path) -> Onboard:
    """Runs the command line in `home`; variables for this run are given as `env`."""
    assert home.is_dir()

    def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)

    return run


@pytest.fixture
def begun(onboard: Onboard, home: Path) -> Path:
    """A folder after `onboard init`."""
    assert onboard("init").exit_code == 0
    return home


def person(onboard: Onboard, name: str, **handles: str) -> str:
    """Enter somebody and return their id."""
    email = f"{name.partition(' ')[0].lower()}@nordwind.example"
    options = [f"--{system}={handle}" for system, handle in handles.items()]
    result = onboard("person", "add", name, f"--email={email}", *options)
    assert result.exit_code == 0, result.output
    return str(result.stdout.strip())


@pytest.fixture
def bare_house(home: Path, sandbox: SandboxClient) -> House:
    """A folder and the sandbox, nobody entered yet."""
    return House(home, sandbox)


@pytest.fixture(scope="session")
def arrived(sandbox_process: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house whose people are entered and whose engagement is loaded; no system was asked anything yet."""
    made = House(tmp_path_factory.mktemp("arrived"), sandbox_process.client)
    with contextlib.chdir(made.folder):
        made.arrive()
    return made


@pytest.fixture
def house(bare_house: House, arrived: House) -> House:
    """People entered, the engagement loaded, nobody started: marta as backend engineer, jonas as QA engineer."""
    bare_house.as_in(arrived)
    return bare_house
