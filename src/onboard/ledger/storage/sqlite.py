"""All that is special about SQLite: opening the file, its transactions, its triggers, and forgetting for good."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import stamina
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from onboard.errors import BadInput, Waiting

#: Seconds that a statement waits for another writer before it gives up.
BUSY = 30
#: A file is nobody's but ours.
UPGRADES_ITSELF = True
#: The execution option by which a connection says that it is going to write.
_WRITES = "ledger_writes"

#: What the driver raises where SQLAlchemy doesn't stand between.
ERRORS = (sqlite3.Error,)

_DAMAGED = ". Its file is damaged. Move it and its -wal away, and begin from a backup: onboard ledger restore FILE"
#: What to do about what SQLite answers, by its code.
_WAYS_OUT = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FULL: ". Make room on the disk that it is on; then run the same command again",
    sqlite3.SQLITE_READONLY: ". Its file, and the folder that it is in, must be writable for whoever runs onboard",
    sqlite3.SQLITE_CANTOPEN: ". Its file must be readable and writable for whoever runs onboard",
    sqlite3.SQLITE_BUSY: f". Another process has been writing for {BUSY} seconds. Run the same command again",
}

_SETTINGS = (
    f"PRAGMA busy_timeout = {BUSY * 1000}",
    "PRAGMA foreign_keys = ON",
    # An intent must survive a power cut, so each commit reaches the disk.
    "PRAGMA synchronous = FULL",
    # What is deleted is overwritten: a destroyed key must not be found in a freed page.
    "PRAGMA secure_delete = ON",
)

_FROZEN = """
CREATE TRIGGER IF NOT EXISTS journal_never_{name}
BEFORE {action} ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
"""


def place(url: URL) -> str:
    """Where the ledger is, for people to read."""
    return str(url.database)


def engines(url: URL, *, create: bool) -> tuple[Engine, Engine] | None:
    """For reading and for writing the file that the URL names; None where it isn't there.

    With `create` it is made if need be, readable by its owner only (0600). Raises BadInput where the URL names no file
    or the file can't be made.
    """
    if not url.database or url.database == ":memory:":
        raise BadInput.one("The ledger needs a file that lasts: write its URL as sqlite:////absolute/path/ledger.db.")
    if create:
        _create(Path(url.database))
    elif not Path(url.database).exists():
        return None
    # Parameters stay out of error texts: they carry keys.
    made = create_engine(url, connect_args={"timeout": BUSY}, hide_parameters=True)
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    _write_ahead(made)
    return made, made.execution_options(**{_WRITES: True})


def _create(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise BadInput.one(f"The ledger cannot be made at {path}: {error.strerror}.") from error


def _prepare(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, and not before a SELECT; `_begin` does it instead.
    connection.isolation_level = None
    for setting in _SETTINGS:
        connection.execute(setting)


def _begin(connection: Connection) -> None:
    # A writer takes the lock before it reads: what it read is still so when it writes.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _locked(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


@stamina.retry(on=_locked, attempts=None, timeout=BUSY, wait_initial=0.02, wait_max=0.5)
def _write_ahead(made: Engine) -> None:
    """Readers never wait for a writer. SQLite doesn't wait for the lock that this switch needs, so it is repeated."""
    mode = _pragma(made, "journal_mode = WAL")[0]
    if mode != "wal":
        raise BadInput.one("The ledger's file must lie on a local disk: a write-ahead log can't be kept where it is.")


def _pragma(made: Engine, text: str) -> tuple[Any, ...]:
    """The first row of what a PRAGMA answers outside of any transaction."""
    raw = made.raw_connection()
    try:
        return tuple(raw.cursor().execute(f"PRAGMA {text}").fetchone())
    finally:
        raw.close()


def way_out(error: object) -> str:
    """What somebody can do about an error of SQLite's, to follow what it said; nothing for others."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # an extended code holds the plain one in its last byte
    return _WAYS_OUT.get(code, "")


def freeze_journal(connection: Connection) -> None:
    """Forbid changing and deleting journal entries, in the database itself."""
    for action in ("UPDATE", "DELETE"):
        connection.exec_driver_sql(_FROZEN.format(name=action.lower(), action=action))


def scrub(made: Engine, tables: tuple[str, ...]) -> None:  # noqa: ARG001 - the log is one for all tables
    """Remove what was deleted from the write-ahead log too, which keeps older pages until it is emptied.

    Raises Waiting where another process reads the ledger all the while.
    """
    busy, *_ = _pragma(made, "wal_checkpoint(TRUNCATE)")
    if busy:
        raise Waiting(
            f"The keys are deleted, but for {BUSY} seconds another process held the ledger's write-ahead log, in which "
            "they still stand. Run the same erasure again to empty it."
        )
