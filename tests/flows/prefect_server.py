"""A Prefect server of the tests' own, and what it has on record."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from onboard.sandbox.openbao.server import die_with_parent

TOP = Path(__file__).parents[2]
#: Seconds in which everything that Prefect does by and by must have happened.
#: Seconds in which a child may end by itself before it is killed.
KINDLY = 15.0
PATIENCE = 60.0


def eventually(what: str, look: Callable[[], Any]) -> Any:
    """What `look` returns once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {PATIENCE:.0f} s")
        time.sleep(0.1)
    return found


def _end(child: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End a child kindly, or else surely: one that inherited ignored signals won't listen."""
    child.terminate()
    try:
        child.wait(KINDLY)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(PATIENCE)


@dataclass(frozen=True)
class Prefect:
    """A running server: its API's address, its folder (home, database, logs), the environment that leads to it."""

    url: str
    folder: Path
    env: Mapping[str, str]

    def find(self, kind: str, **filters: Any) -> list[dict[str, Any]]:
        """Everything of a kind (flow_runs, artifacts, logs, deployments) that a filter lets through."""
        answer = requests.post(f"{self.url}/{kind}/filter", json=filters, timeout=10)
        assert answer.ok, answer.text
        return list(answer.json())

    def runs_about(self, person: str) -> list[dict[str, Any]]:
        """The runs that name a person, oldest first."""
        runs = [run for run in self.find("flow_runs") if run["parameters"].get("person") == person]
        return sorted(runs, key=lambda run: str(run["created"]))

    def artifact(self, key: str) -> dict[str, Any]:
        """The latest artifact under a key."""
        answer = requests.get(f"{self.url}/artifacts/{key}/latest", timeout=10)
        assert answer.ok, answer.text
        return dict(answer.json())

    def log_of(self, run: str) -> str:
        """What a run logged, once its last line has arrived."""
        lines = eventually("the log's last line", lambda: self._complete_log(run))
        return "\n".join(str(line["message"]) for line in lines)

    def _complete_log(self, run: str) -> list[dict[str, Any]]:
        lines = self.find("logs", logs={"flow_run_id": {"any_": [run]}}, sort="TIMESTAMP_ASC")
        return lines if any("Finished in state" in str(line["message"]) for line in lines) else []

    def everything_kept(self) -> str:
        """The whole database as SQL, and every file that the server or a worker wrote."""
        with closing(sqlite3.connect(f"file:{self.folder / 'prefect.db'}?mode=ro", uri=True)) as database:
            texts = list(database.iterdump())
        files = [path for path in self.folder.rglob("*") if path.is_file() and "prefect.db" not in path.name]
        return "\n".join([*texts, *(path.read_text(encoding="utf-8", errors="replace") for path in files)])

    def command(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """What a command of Prefect's prints, run at the top of the checkout."""
        ran = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=TOP,
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    @contextmanager
    def child(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[None]:
        """One of Prefect's own processes, for as long as the block lasts; what it says goes to a file in the folder."""
        with (self.folder / f"{name}.log").open("w") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "prefect", *arguments],
                cwd=self.folder,
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - prctl only
            )
            try:
                yield
            finally:
                _end(child)


def free_port() -> int:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextmanager
def server(folder: Path) -> Iterator[Prefect]:
    """A server on a port of its own, with a database of its own, that tells nobody about it."""
    port = free_port()
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    prefect = Prefect(
        url=f"http://127.0.0.1:{port}/api",
        folder=folder,
        env={
            **inherited,
            "HOME": str(folder),
            "PREFECT_HOME": str(folder),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DO_NOT_TRACK": "1",
        },
    )
    with prefect.child("server", "server", "start", "--host", "127.0.0.1", "--port", str(port)):
        eventually("Prefect's server", lambda: _healthy(prefect.url))
        yield prefect


def _healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.ConnectionError:
        return False
