"""Where the demo plays: one folder with a sandbox, a Prefect server and a configuration of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import BadInput, SystemFailed
from onboard.sandbox.client import SandboxClient, SandboxProcess
from onboard.sources import SECRETS, SECTIONS

MARKER = "made-by-onboard-demo"
PATIENCE = 60.0


@dataclass(frozen=True)
class Stage:
    """The demo's folder, and the sandbox that runs on what it keeps there."""

    folder: Path
    sandbox: SandboxClient


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Set everything up in a fresh folder; take it down afterwards. What was kept stays, to go on by hand.

    Raises BadInput where the folder holds something else, SystemFailed where a server doesn't come up.
    """
    _clear(folder)
    port = _free_port()
    environment = _prefect(folder, port)
    with (folder / "prefect.log").open("w") as log:
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        with SandboxProcess(data=folder / "sandbox") as sandbox:
            _configure(folder, sandbox.env)
            _wait_for(f"http://127.0.0.1:{port}/api/health", server, folder / "prefect.log")
            os.environ.update({key: value for key, value in environment.items() if key.startswith("PREFECT_")})
            os.environ["ONBOARD_CONFIG"] = str(folder / "onboard.toml")
            yield Stage(folder, sandbox)
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _clear(folder: Path) -> None:
    if folder.exists() and not (folder / MARKER).is_file():
        raise BadInput.one(f"{folder} exists and wasn't made by the demo. Move it, or run the demo elsewhere.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARKER).touch()


def _prefect(folder: Path, port: int) -> dict[str, str]:
    """The environment in which Prefect keeps to itself: its own home, no telemetry, quiet."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "ONBOARD_"))}
    return inherited | {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_CLI_COLORS": "false",
        "DO_NOT_TRACK": "1",
    }


def _configure(folder: Path, settings: Mapping[str, str]) -> None:
    """`onboard.toml` for the sandbox, with the tokens in files that only their owner reads."""
    for name in [name for name in os.environ if name.startswith("ONBOARD_")]:
        del os.environ[name]
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    lines = [
        "# Written by the demo: points onboard at the sandbox in this folder.",
        'ledger_url = "sqlite:///onboard.db"',
    ]
    tables: dict[str, list[str]] = {}
    for variable, value in settings.items():
        system, _, field = variable.removeprefix("ONBOARD_").partition("__")
        entries = tables.setdefault(*_table(system.lower()))
        if field.lower() in SECRETS:
            path = secrets / f"{system}-{field}".lower()
            path.touch(mode=0o600)
            path.write_text(value)
            entries.append(f'{field.lower()}_file = "{path.relative_to(folder)}"')
        elif field != "PROTECTED":
            entries.append(f'{field.lower()} = "{value}"')
    for table, entries in tables.items():
        lines += ["", f"[{table}]", *entries]
    (folder / "onboard.toml").write_text("\n".join(lines) + "\n")


def _table(name: str) -> tuple[str, list[str]]:
    """The table that a system's settings, or another section's, stand in, and how it begins."""
    if name in SECTIONS:
        return name, []
    return f"systems.{name}", [f'kind = "{name}"', 'protected = ["onboard-bot"]']


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    import requests

    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise SystemFailed("prefect", f"its server didn't come up within {PATIENCE:.0f} s; see {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
