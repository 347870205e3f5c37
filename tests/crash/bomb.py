"""A child process that is killed, as by kill -9, at one point of its run, or that loses the answer to one write.

Points are found by running: every transaction that writes to the ledger, every write of its keyring, and every
request to a system, is one before and one after; a write's answer may besides be lost, after it took effect.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn

from onboard.ledger.privacy.keyring import FileKeyring
from onboard.ledger.storage.database import Database

#: What differs from run to run in an address.
_NUMBERS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|a-[0-9a-f]{32}|[0-9a-f]{24,}|\b\d{3,}\b")


class Kind(StrEnum):
    """What a process does that others can see."""

    LEDGER = "ledger write"
    KEYRING = "keyring write"
    READ = "read"
    WRITE = "write"


class Moment(StrEnum):
    """When it is struck: killed before or after, or the answer is lost."""

    BEFORE = "before"
    AFTER = "after"
    LOST = "answer lost"


class Point(NamedTuple):
    """The nth doing of a kind, counted from 1 over all threads, and when it is struck."""

    kind: Kind
    nth: int
    moment: Moment

    def __str__(self) -> str:
        return f"{self.kind} {self.nth}, {self.moment}"


class Step(NamedTuple):
    """Something that was done: its kind, and what it was, such as `PUT /orgs/acme/memberships/marta-nw`."""

    kind: Kind
    what: str


@dataclass(frozen=True)
class Ended:
    """How a child ended. `killed`: by its bomb; else what the work returned, or raised, and what it did on the way.

    `struck` says that the point was reached.
    """

    killed: bool
    value: Any = None
    error: str | None = None
    trail: tuple[Step, ...] = ()
    struck: bool = False

    @property
    def writes(self) -> list[str]:
        """The requests that write, as they were made."""
        return [step.what for step in self.trail if step.kind is Kind.WRITE]


def points(trail: tuple[Step, ...]) -> list[Point]:
    """Every point that a run passed."""
    numbers = Counter(step.kind for step in trail)
    return [
        Point(kind, nth, moment)
        for kind, number in numbers.items()
        for nth in range(1, number + 1)
        for moment in Moment
        if moment is not Moment.LOST or kind is Kind.WRITE
    ]


@dataclass
class Bomb:
    """Notes what a process does, and strikes at one point; without one it only notes.

    `is_write` says of a request (port, method, path) whether it changes its system, None where it goes to no system.
    """

    point: Point | None
    is_write: Callable[[int, str, str], bool | None]
    trail: list[Step] = field(default_factory=list)
    struck: bool = False
    _counts: Counter[Kind] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begins(self, step: Step) -> tuple[Kind, int]:
        """Something is about to be done."""
        with self._lock:
            self._counts[step.kind] += 1
            nth = self._counts[step.kind]
            self.trail.append(step)
            self._kill_at(Point(step.kind, nth, Moment.BEFORE))
        return step.kind, nth

    def done(self, kind: Kind, nth: int) -> bool:
        """It took effect; whether its answer is to be lost."""
        self._kill_at(Point(kind, nth, Moment.AFTER))
        lost = self.point == Point(kind, nth, Moment.LOST)
        self.struck = self.struck or lost
        return lost

    def _kill_at(self, point: Point) -> None:
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """From now on, for the rest of this process."""
        self._watch_ledger()
        self._watch_keyring()
        self._watch_requests()

    def _watch_ledger(self) -> None:
        writing = Database.writing

        @contextmanager
        def watched(database: Database, *arguments: Any, **options: Any) -> Iterator[Any]:
            begun = self.begins(Step(Kind.LEDGER, "transaction"))
            with writing(database, *arguments, **options) as connection:
                yield connection
            self.done(*begun)

        Database.writing = watched  # type: ignore[assignment,method-assign]

    def _watch_keyring(self) -> None:
        replace = FileKeyring._replace

        def watched(keyring: FileKeyring, keys: Mapping[str, bytes]) -> None:
            begun = self.begins(Step(Kind.KEYRING, "replaced"))
            replace(keyring, keys)
            self.done(*begun)

        FileKeyring._replace = watched  # type: ignore[assignment,method-assign]

    def _watch_requests(self) -> None:
        ask, hear = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse

        def putrequest(connection: Any, method: str, url: str, *rest: Any, **options: Any) -> None:
            path = url.partition("?")[0]
            writes = self.is_write(connection.port, method, path)
            step = Step(Kind.WRITE if writes else Kind.READ, f"{method} {_NUMBERS.sub('…', path)}")
            connection.begun = None if writes is None else self.begins(step)
            ask(connection, method, url, *rest, **options)

        def getresponse(connection: Any) -> Any:
            response = hear(connection)
            if connection.begun is not None and self.done(*connection.begun):
                response.read()
                connection.close()
                # What http.client itself raises where a server closes instead of answering.
                raise http.client.RemoteDisconnected("Remote end closed connection without response")
            return response

        http.client.HTTPConnection.putrequest = putrequest  # type: ignore[assignment,method-assign]
        http.client.HTTPConnection.getresponse = getresponse  # type: ignore[assignment,method-assign]


def in_a_child(work: Callable[[], Any], bomb: Bomb) -> Ended:
    """Run `work`, which returns something for JSON, in a forked process with that bomb, to its end.

    Whatever the parent has open that mustn't be shared, close it first.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(work, bomb, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Ended(killed=True, struck=True)
    if not told:
        raise AssertionError(f"the child ended with status {status} and said nothing")
    value, error, trail, struck = json.loads(told)
    return Ended(False, value, error, tuple(Step(Kind(kind), what) for kind, what in trail), struck)


def _run(work: Callable[[], Any], bomb: Bomb, writing: int) -> NoReturn:
    """Do it, tell the parent, and end without anything that an interpreter does at its end."""
    value, error = None, None
    try:
        bomb.arm()
        value = work()
    except BaseException as raised:  # noqa: BLE001 - told to the parent, which fails with it
        error = "".join(traceback.format_exception(raised))
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        json.dump([value, error, bomb.trail, bomb.struck], pipe)
    os._exit(0)
