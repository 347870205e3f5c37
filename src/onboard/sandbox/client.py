"""A running sandbox as tests and the demo use it: starts the process, knows its addresses, drives its control API."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from onboard.errors import SystemFailed
from onboard.sandbox.openbao.server import die_with_parent

#: Seconds until a sandbox must be ready, and until it must have ended.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """A simulated human with the credentials of their own; empty where they have no account there."""

    id: str
    name: str
    email: str
    github: Mapping[str, Any]
    jira: Mapping[str, Any]
    slack: Mapping[str, Any]
    vault: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Person({self.id!r})"


class SandboxClient:
    """The control API and the addresses of a sandbox that is ready. `ready` is its ready line."""

    def __init__(self, ready: Mapping[str, Any]) -> None:
        self.ready = dict(ready)
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def github(self) -> Mapping[str, str]:
        """base_url, org, token, read_token."""
        return dict(self.ready["github"])

    @property
    def jira(self) -> Mapping[str, str]:
        """Cloud: base_url, email, token, read_token, deployment."""
        return dict(self.ready["jira"])

    @property
    def jira_data_center(self) -> Mapping[str, str]:
        """Data Center: base_url, email, token, read_token, deployment."""
        return dict(self.ready["jira_data_center"])

    @property
    def slack(self) -> Mapping[str, str]:
        """base_url, scim_base_url, bot_token, admin_token, read_token."""
        return dict(self.ready["slack"])

    @property
    def vault(self) -> Mapping[str, str]:
        """addr, token, read_token, root_token."""
        return dict(self.ready["vault"])

    @property
    def env(self) -> Mapping[str, str]:
        """Every ONBOARD_… setting that points onboard at this sandbox."""
        return dict(self.ready["env"])

    def person(self, id_: str) -> Person:
        """The person with that sandbox id. Raises KeyError."""
        known = self.ready["people"][id_]
        accounts = {system: known.get(system, {}) for system in ("github", "jira", "slack", "vault")}
        return Person(id_, known["name"], known["email"], **accounts)

    def accept(self, person: str, *systems: str) -> list[str]:
        """Accept the person's pending invitations, on these systems or on all; what was accepted."""
        body = {"systems": list(systems)} if systems else {}
        return list(self._control("POST", f"people/{person}/accept", body)["accepted"])

    def rename(self, person: str, **handles: str) -> None:
        """Give the person another login or username: `rename("marta", github="marta-k")`."""
        self._control("POST", f"people/{person}/rename", handles)

    def delete_accounts(self, person: str, *systems: str) -> None:
        """Have the vendors delete the person's accounts."""
        self._control("POST", f"people/{person}/delete", {"systems": list(systems)})

    def advance(self, *, days: float = 0, seconds: float = 0) -> str:
        """Move the simulators' time on; the new time, in ISO form."""
        return str(self._control("POST", "clock", {"advance_seconds": days * 86400 + seconds})["now"])

    def requests(self, system: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """The request log after number `since`, of one system or of all."""
        query = {"since": str(since)} | ({"system": system} if system else {})
        return list(self._control("GET", "requests", params=query)["requests"])

    def writes(self, system: str | None = None, since: int = 0) -> list[dict[str, Any]]:
        """The logged requests that change state."""
        return [entry for entry in self.requests(system, since) if entry["write"]]

    def holdings(self, person: str | None = None) -> list[dict[str, Any]]:
        """Who holds what on all systems now; of one person or of everybody."""
        held = self._control("GET", "state")["holdings"]
        return [line for line in held if person in (None, line["person"])]

    def mail(self, to: str | None = None) -> list[dict[str, Any]]:
        """What was sent by mail, the oldest first: from, to, subject, text, at."""
        return list(self._control("GET", "mail", params={"to": to} if to else None)["mail"])

    def messages(self, person: str) -> list[dict[str, Any]]:
        """What the person reads in Slack from our bot, oldest first: ts, text, blocks, buttons."""
        return list(self._control("GET", f"people/{person}/messages")["messages"])

    def press(self, person: str, action: str, listener: str, message: str | None = None) -> int:
        """Press a button of the newest message that has it, or of one; the status that the listener answers."""
        body = {"action": action, "listener": listener} | ({"message": message} if message else {})
        return int(self._control("POST", f"people/{person}/press", body)["status"])

    def issues(self) -> list[dict[str, Any]]:
        """The issues in Jira Cloud: key, summary, description, labels, status, comments."""
        return list(self._control("GET", "issues")["issues"])

    def answer(self, person: str, issue: str, listener: str, **how: str) -> int:
        """Comment on an issue (`comment="…"`) or move it (`status="…"`); the status that the listener answers."""
        body = {"issue": issue, "listener": listener, **how}
        return int(self._control("POST", f"people/{person}/answer", body)["status"])

    def fault(self, system: str, kind: str, **details: Any) -> int:
        """Order a fault: method, path (a regex), times, skip, ms, retry_after. Its id."""
        return int(self._control("POST", "faults", {"system": system, "kind": kind, **details})["id"])

    def clear_faults(self) -> None:
        """No faults from now on."""
        self._control("DELETE", "faults")

    def reset(self, world: Mapping[str, Any] | None = None) -> None:
        """The starting state again, of this world or of another one."""
        self.ready = self._control("POST", "reset", {} if world is None else {"world": world})

    def wait_until_quiet(self) -> None:
        """Wait until nobody but this client is connected and nothing is under way, such as a dead process's request.

        Raises SystemFailed where that doesn't come.
        """
        deadline = time.monotonic() + PATIENCE
        while (traffic := self._control("GET", "traffic")) != {"requests": 0, "connections": 1}:
            if time.monotonic() > deadline:
                raise SystemFailed("sandbox", f"somebody is still at work there: {traffic}")
            time.sleep(0.001)

    def snapshot(self) -> int:
        """Remember how everything stands, until the next reset; the number that `restore` takes."""
        return int(self._control("POST", "snapshot")["snapshot"])

    def restore(self, snapshot: int) -> None:
        """Everything as it stood then, with an empty request log and no faults."""
        self._control("POST", "restore", {"snapshot": snapshot})

    def _control(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """One call of the control API. Raises SystemFailed with its own words where it refuses."""
        url = f"{self.ready['control']}/_sandbox/{path}"
        answer = self._session.request(method, url, json=body, params=params, timeout=PATIENCE)
        if not answer.ok:
            raise SystemFailed("sandbox", f"{method} {path}: {answer.status_code} {answer.text}")
        return dict(answer.json())


class SandboxProcess:
    """A sandbox as a child process, which dies with this one. Use it as a context manager, or stop it yourself."""

    def __init__(
        self,
        world: Path | None = None,
        data: Path | None = None,
        latency_ms: int = 0,
        generate: str | None = None,
    ) -> None:
        """Start it and wait until it is ready. Raises SystemFailed with what it said where it ends before that."""
        options: Iterable[str] = [
            *(["--world", str(world)] if world else []),
            *(["--data", str(data)] if data else []),
            *(["--generate", generate] if generate is not None else []),
            *(["--latency", str(latency_ms)] if latency_ms else []),
        ]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the child runs
        self._child = subprocess.Popen(
            [sys.executable, "-m", "onboard.sandbox", "--json", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - prctl only
        )
        self.client = SandboxClient(self._ready_line())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def kill(self) -> None:
        """End it as kill -9 does, and wait for that."""
        self._child.kill()
        self._child.wait(PATIENCE)
        self._close()

    def stop(self) -> int:
        """End it cleanly; its exit code. Raises SystemFailed with what it wrote to standard error if it failed."""
        self._child.terminate()
        try:
            self._child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SystemFailed("sandbox", f"it didn't end within {PATIENCE:.0f} seconds and was killed") from None
        errors = self._close()
        if self._child.returncode:
            raise SystemFailed("sandbox", f"it ended with exit code {self._child.returncode}: {errors}")
        return self._child.returncode

    def __enter__(self) -> SandboxClient:
        return self.client

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _ready_line(self) -> dict[str, Any]:
        """The first line that it prints."""
        deadline = time.monotonic() + PATIENCE
        if self._child.stdout is None:
            raise AssertionError("the child has no standard output")
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._child.stdout, selectors.EVENT_READ)
            if not waiting.select(deadline - time.monotonic()):
                self.kill()
                raise SystemFailed("sandbox", f"it wasn't ready within {PATIENCE:.0f} seconds")
        line = self._child.stdout.readline()
        if not line:
            code = self._child.wait(PATIENCE)
            raise SystemFailed("sandbox", f"it ended before it was ready, with exit code {code}: {self._close()}")
        return dict(json.loads(line))

    def _close(self) -> str:
        """What it wrote to standard error; nothing is left open."""
        if self._child.stdout:
            self._child.stdout.close()
        self._errors.seek(0)
        with self._errors:
            return self._errors.read().strip()
