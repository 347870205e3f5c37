"""A ledger copied as a whole, from either kind of database to either kind: backups, restoring, and moving house.

The copy is of one moment, taken while others work on: every table is read in one transaction, and the copy is there as
a whole or not at all. A backup is a ledger in an SQLite file. People's keys are not in it, nor the index that their
addresses are found by: whoever is erased later is erased from it too, since the keyring has no key for them any more.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Table, delete, insert, select

from onboard.errors import BadInput
from onboard.ledger import records
from onboard.ledger.journal import Journal
from onboard.ledger.privacy.keyring import Keyring
from onboard.ledger.privacy.keys import Keys
from onboard.ledger.privacy.prints import reindex
from onboard.ledger.proof.verify_export import Verdict, verify
from onboard.ledger.storage.database import Database
from onboard.ledger.storage.tables import metadata, person_data, person_index, person_keys
from onboard.model import OPERATOR

#: Rows that are copied at once.
PAGE = 5000


class Restored(NamedTuple):
    """What verifying the copy found, and of how many people in the backup the keyring has no key any more."""

    verdict: Verdict
    forgotten: int


def back_up(url: str, keyring: Keyring, file: Path) -> Verdict:
    """Copy the ledger at a URL to a new file, readable by its owner only; returns what verifying the copy found.

    Raises BadInput where the file exists or can't be made, or there is no ledger; SystemFailed where a database fails.
    """
    _refuse(file)
    source = Database.open(url)
    try:
        Keys(source, keyring).ready()
        return _into(source, f"sqlite:///{file.absolute()}", _nothing)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        source.close()


def restore(file: Path, keyring: Keyring, url: str, at: datetime) -> Restored:
    """Begin the ledger at a URL from a backup, which may be an older onboard's, with the keyring that it belongs to.

    Whoever has no key in the keyring isn't in the new ledger, which says `at` that time that they are erased.
    Raises BadInput where there is no such backup, or a ledger at the URL already; SystemFailed where a database fails,
    or the keyring is lost or another's.
    """
    with _opened(file) as source:
        keys, forgotten = Keys(source, keyring), 0
        keys.ready()

        def settle(writing: Connection) -> None:
            nonlocal forgotten
            gone = _settle(writing, keys)
            Journal(source).append_in(writing, map(records.erased, sorted(gone)), actor=OPERATOR, at=at)
            forgotten = len(gone)

        verdict = _into(source, url, settle)
        return Restored(verdict, forgotten)


def _settle(writing: Connection, keys: Keys) -> set[str]:
    """Leave out those who have no key any more, and build the index; who was left out."""
    people = set(writing.scalars(select(person_keys.c.person)))
    fernets = keys.fernets(people)
    gone = people - fernets.keys()
    for person in gone:
        for table in (person_data, person_keys):
            writing.execute(delete(table).where(table.c.person == person))
    reindex(writing, keys.index(), fernets)
    return gone


def _nothing(_: Connection) -> None:
    return


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


def _into(source: Database, url: str, settle: Callable[[Connection], None]) -> Verdict:
    """Copy everything but the index to a place without a ledger, settle it there, and follow the copy's chain."""

    def fill(writing: Connection) -> None:
        with source.reading() as reading:
            for table in metadata.sorted_tables:
                if table is not person_index:
                    _copy(table, reading, writing)
        settle(writing)

    target = Database.filled(url, fill)
    try:
        return verify(Journal(target).rows())
    finally:
        target.close()


def _copy(table: Table, reading: Connection, writing: Connection) -> None:
    with reading.execution_options(yield_per=PAGE).execute(select(table)) as found:
        for rows in found.mappings().partitions():
            writing.execute(insert(table), [dict(row) for row in rows])
