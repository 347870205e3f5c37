from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, NullPool, create_engine

from onboard.ledger import Ledger
from tests.ledger.builders import START, keyring_of
from tests.postgres import Postgres

WORKER = Path(__file__).with_name("worker.py")


class Clock:
    """Stands still unless moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


Workers = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


DATABASES = ("sqlite", "postgresql")
only_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place of its own for a ledger, on each kind of database. On PostgreSQL it was begun there already."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"t{secrets.token_hex(8)}"
    yield server.create(name, like=request.getfixturevalue("begun"))
    server.drop(name)


@pytest.fixture(params=DATABASES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place in which no ledger was begun."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'another.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"e{secrets.token_hex(8)}"
    yield server.create(name)
    server.drop(name)


@contextmanager
def raw(url: str) -> Iterator[Connection]:
    """A connection of nobody's but the test's: none of the ledger's own settings or locks, autocommit."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def ledger(url: str, clock: Clock) -> Iterator[Ledger]:
    opened = Ledger.begin(url, clock, keyring_of(url))
    yield opened
    opened.close()


@pytest.fixture
def worker(url: str) -> Iterator[Workers]:
    """Starts a process on the same ledger."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str) -> subprocess.Popen[str]:
        arguments = [sys.executable, str(WORKER), command[0], url, *command[1:]]
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
