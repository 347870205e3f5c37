"""Leases: at most one worker at a time acts on a person, or rewrites a container's whole membership.

A lease ends by itself, so a worker that was killed blocks nobody for long; on the same machine it blocks nobody at all.
A worker that was merely slow finds out by `check` before it acts, and the journal refuses what it writes under the
lease; each taking of a key gets a larger token than any before, so that a late one can be told.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Connection, Row, insert, select, update

from onboard.errors import Waiting
from onboard.ledger.instants import in_words, micros
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import leases

#: Seconds between two looks at a lease that somebody else holds.
POLL = 0.05
#: A row of the table: key, owner, token, expires.
_Row: TypeAlias = Row[tuple[str, str | None, int, int]]


@dataclass(frozen=True, slots=True)
class Lease:
    """Keys that are held together: their fencing tokens, by key."""

    tokens: Mapping[str, int]
    owner: str
    ttl: timedelta
    database: Database
    clock: Callable[[], datetime]

    def check(self) -> None:
        """Raises Waiting where a key is no longer held: the lease ran out, or somebody has taken it over."""
        with self.database.reading() as connection:
            self.confirm(connection)

    def renew(self) -> None:
        """Hold the keys for the whole time to live again, from now. Raises as `check`."""
        with self.database.writing() as connection:
            self.confirm(connection)
            connection.execute(
                update(leases).where(leases.c.key.in_(self.tokens)).values(expires=micros(self.clock() + self.ttl))
            )

    def release(self) -> None:
        """Let go of the keys that are still held."""
        with self.database.writing() as connection:
            for key, token in self.tokens.items():
                ours = (leases.c.key == key) & (leases.c.token == token)
                connection.execute(update(leases).where(ours).values(owner=None, expires=0))

    def confirm(self, connection: Connection) -> None:
        """The same within a transaction; in a writing one nobody can take a key over before it ends."""
        now = micros(self.clock())
        rows = _rows(connection, self.tokens)
        for key, token in self.tokens.items():
            if rows[key].token != token:
                raise Waiting(f"{key} was taken over by {rows[key].owner or 'another worker'}: run this again.")
            if rows[key].expires <= now:
                raise Waiting(f"The lease on {key} ran out before the work was done: run this again.")


class Leases:
    """Leases in the ledger's database. `pause` waits (seconds) between two looks at a lease that is held."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._database = database
        self._clock = clock
        self._pause = pause

    @contextmanager
    def hold(self, keys: Iterable[str], owner: str, *, ttl: float, wait: float) -> Iterator[Lease]:
        """Hold all of these keys or none, for at most `ttl` seconds, having waited at most `wait` seconds for them.

        `owner` tells others who holds them (`HOST:PID`, see `owner_here`); it doesn't make the lease re-entrant. Raises
        Waiting, naming the holder.
        """
        wanted = sorted(set(keys))
        waited = 0.0
        while (taken := self._take(wanted, owner, timedelta(seconds=ttl))) is None:
            if waited >= wait:
                raise Waiting(self._held(wanted))
            self._pause(POLL)
            waited += POLL
        try:
            yield taken
        finally:
            taken.release()

    def _take(self, keys: list[str], owner: str, ttl: timedelta) -> Lease | None:
        # Whoever waits only looks, so that those who write aren't kept from it.
        with self._database.reading() as connection:
            if self._held_by_others(_rows(connection, keys)):
                return None
        with self._database.writing() as connection:
            rows, now = _rows(connection, keys), self._clock()
            if self._held_by_others(rows):
                return None
            tokens = {key: rows[key].token + 1 if key in rows else 1 for key in keys}
            for key, token in tokens.items():
                values = {"owner": owner, "token": token, "expires": micros(now + ttl)}
                taking = update(leases).where(leases.c.key == key) if key in rows else insert(leases)
                connection.execute(taking.values(**(values if key in rows else {"key": key, **values})))
        return Lease(tokens, owner, ttl, self._database, self._clock)

    def _held_by_others(self, rows: Mapping[str, _Row]) -> bool:
        now = micros(self._clock())
        return any(row.expires > now and not _dead(row.owner) for row in rows.values())

    def _held(self, keys: list[str]) -> str:
        with self._database.reading() as connection:
            rows = _rows(connection, keys)
        held = [row for row in rows.values() if row.owner]
        who = "; ".join(f"{row.key} is held by {row.owner} until {in_words(row.expires)} at the latest" for row in held)
        who = who or f"{', '.join(keys)} was held by another worker"
        return f"{who}. Run this again then; what is on record already stays."


def owner_here() -> str:
    """This process's name on leases, by which another on the same machine can tell that it is no more: `HOST:PID`."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _dead(owner: str | None) -> bool:
    """Whether the holder was a process on this machine that is no more. A number given out anew counts as alive."""
    host, _, pid = (owner or "").rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _rows(connection: Connection, keys: Iterable[str]) -> dict[str, _Row]:
    wanted = select(leases).where(leases.c.key.in_(list(keys))).order_by(leases.c.key)
    return {row.key: row for row in connection.execute(wanted)}
