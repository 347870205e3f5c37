"""A ledger copied as a whole, from either kind of database to either kind: backups, restoring, and moving house.

The copy is of one moment, taken while others work on: every table is read in one transaction, and the copy is there as
a whole or not at all. A backup is a ledger in an SQLite file. It holds the keys of people, so whoever is erased later
is not erased from it: keep backups no longer than they are of use.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Table, insert, select

from onboard.errors import BadInput
from onboard.ledger.database import Database
from onboard.ledger.journal import Journal
from onboard.ledger.tables import metadata
from onboard.ledger.verify_export import Verdict, verify

#: Rows that are copied at once.
PAGE = 5000


def back_up(url: str, file: Path) -> Verdict:
    """Copy the ledger at a URL to a new file, readable by its owner only; returns what verifying the copy found.

    Raises BadInput where the file exists or can't be made, or there is no ledger; SystemFailed where a database fails.
    """
    _refuse(file)
    source = Database.open(url)
    try:
        return _into(source, f"sqlite:///{file.absolute()}")
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        source.close()


def restore(file: Path, url: str) -> Verdict:
    """Begin the ledger at a URL from a backup, which may be an older onboard's; returns what verifying it found.

    Raises BadInput where there is no such backup, or a ledger at the URL already; SystemFailed where a database fails.
    """
    with _opened(file) as source:
        return _into(source, url)


@contextmanager
def _opened(file: Path) -> Iterator[Database]:
    """A backup, of which a copy is opened: it may have to be upgraded, and stays as it is."""
    with tempfile.TemporaryDirectory(prefix="onboard-restore-") as folder:
        copy = Path(folder) / "backup.db"
        try:
            shutil.copyfile(file, copy)
        except OSError as error:
            raise BadInput.one(f"The backup {file} can't be read: {error.strerror}.") from None
        source = Database.open(f"sqlite:///{copy}")
        try:
            yield source
        finally:
            source.close()


def _refuse(file: Path) -> None:
    if file.exists():
        raise BadInput.one(f"{file} exists already and isn't overwritten. Name another file.")
    if not file.parent.is_dir():
        raise BadInput.one(f"The folder {file.parent} isn't there.")


def _into(source: Database, url: str) -> Verdict:
    """Copy everything to a place without a ledger, and follow the copy's chain."""

    def fill(writing: Connection) -> None:
        with source.reading() as reading:
            for table in metadata.sorted_tables:
                _copy(table, reading, writing)

    target = Database.filled(url, fill)
    try:
        return verify(Journal(target).rows())
    finally:
        target.close()


def _copy(table: Table, reading: Connection, writing: Connection) -> None:
    with reading.execution_options(yield_per=PAGE).execute(select(table)) as found:
        for rows in found.mappings().partitions():
            writing.execute(insert(table), [dict(row) for row in rows])
