"""A process of its own on a ledger, as tests start it: `worker.py COMMAND URL …`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from onboard.ledger import Leases, Ledger, records
from onboard.model import OPERATOR


def now() -> datetime:
    return datetime.now(UTC)


def append(ledger: Ledger, count: str) -> None:
    for _ in range(int(count)):
        ledger.journal.record(records.applied(f"by-{os.getpid()}"), actor=OPERATOR, at=now())


def die(ledger: Ledger, step: str) -> None:
    """Append an entry and be killed before its step number `step`: a statement, or else the commit."""
    left = int(step)

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)
    append(ledger, "1")


def hold(ledger: Ledger, key: str, at: str) -> None:
    """Hold a key for ten minutes from `at` on, or until killed, saying when it is held."""
    leases = Leases(ledger.database, lambda: datetime.fromisoformat(at))
    with leases.hold([key], "the other worker", ttl=600, wait=0):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()


def count_up(ledger: Ledger, file: str, times: str) -> None:
    """Add to a number in a file, which comes out right only when nobody else does meanwhile."""
    for _ in range(int(times)):
        with ledger.leases.hold(["counter", "another"], str(os.getpid()), ttl=60, wait=60):
            Path(file).write_text(str(int(Path(file).read_text()) + 1))


def open_only(_: Ledger) -> None:
    sys.stdout.write("open\n")


if __name__ == "__main__":
    command, url, *rest = sys.argv[1:]
    commands: dict[str, Callable[..., None]] = {
        "append": append,
        "die": die,
        "hold": hold,
        "count_up": count_up,
        "open_only": open_only,
    }
    commands[command](Ledger.begin(url, now), *rest)
