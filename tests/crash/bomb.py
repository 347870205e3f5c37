"""A child process that is killed, as by kill -9, just before or after its Nth write to the ledger or to a system."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from onboard.ledger.database import Database

#: The methods of Slack's Web API that change something; all others there are reads, though they are posted as well.
_SLACK_WRITES = ("invite", "kick", "update", "enable", "disable", "session")


class Bomb:
    """Counts the points that a process passes, and kills it at one of them; with 0 it only counts."""

    def __init__(self, point: int) -> None:
        self.point = point
        self.passed = 0
        self._lock = threading.Lock()

    def tick(self) -> None:
        with self._lock:
            self.passed += 1
            if self.passed == self.point:
                os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """From now on every transaction that writes, and every request that does, is two points: before and after."""
        self._watch_ledger()
        self._watch_requests()

    def _watch_ledger(self) -> None:
        writing = Database.writing

        @contextmanager
        def watched(database: Database) -> Iterator[Connection]:
            self.tick()
            with writing(database) as connection:
                yield connection
            self.tick()

        Database.writing = watched  # type: ignore[assignment,method-assign]

    def _watch_requests(self) -> None:
        ask, hear = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse

        def putrequest(connection: Any, method: str, url: str, *rest: Any, **options: Any) -> None:
            connection.writes = _is_write(method, url)
            if connection.writes:
                self.tick()
            ask(connection, method, url, *rest, **options)

        def getresponse(connection: Any) -> Any:
            response = hear(connection)
            if connection.writes:
                self.tick()
            return response

        http.client.HTTPConnection.putrequest = putrequest  # type: ignore[assignment,method-assign]
        http.client.HTTPConnection.getresponse = getresponse  # type: ignore[assignment,method-assign]


def _is_write(method: str, url: str) -> bool:
    if method in ("GET", "HEAD", "LIST", "OPTIONS") or "lookup" in url or "graphql" in url:
        return False
    return "/api/" not in url or "/rest/api/" in url or any(word in url for word in _SLACK_WRITES)


def in_a_child(work: Callable[[], None], point: int) -> int | None:
    """Run `work` in a forked process that is killed at that point; how many points it passed, None if it was killed.

    Raises AssertionError where it ended otherwise. Whatever the parent has open that mustn't be shared, close it first.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _run(work, Bomb(point), writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return None
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == 0, told
    return int(told)


def _run(work: Callable[[], None], bomb: Bomb, writing: int) -> None:
    code = 1
    try:
        bomb.arm()
        work()
        os.write(writing, str(bomb.passed).encode())
        code = 0
    except BaseException as error:  # noqa: BLE001 - told to the parent, which fails with it
        os.write(writing, repr(error).encode())
    finally:
        os._exit(code)
