"""The journal: append-only and hash-chained. What an entry is, byte for byte, stands in `entries.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from onboard.errors import OnboardError
from onboard.ledger.database import Database
from onboard.ledger.entries import GENESIS, Entry, Head, Json, Record, read, seal
from onboard.ledger.tables import journal
from onboard.model import Actor

#: Entries read at once. The journal only grows, so a reading in several pieces is still one reading.
PAGE = 5000


class Journal:
    """Appends from several threads and processes leave one chain; the database itself refuses changes and deletions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self, kind: str, body: Mapping[str, Json], *, actor: Actor, at: datetime, subject: str | None = None
    ) -> Entry:
        """Write one entry; when this returns it is on disk. Raises as `append_many`. Prefer `record`."""
        return self.record(Record(kind, body, subject), actor=actor, at=at)

    def record(self, record: Record, *, actor: Actor, at: datetime) -> Entry:
        """Write what a function of `records` made. Raises as `append_many`."""
        return self.append_many([record], actor=actor, at=at)[0]

    def append_many(self, records: Iterable[Record], *, actor: Actor, at: datetime) -> tuple[Entry, ...]:
        """Write several entries in one transaction: all of them, next to each other, or none.

        Raises OnboardError for what may not be kept (see `entries.seal`), SystemFailed where the database fails.
        """
        entries: list[Entry] = []
        rows: list[dict[str, Any]] = []
        with self._database.writing() as connection:
            after = _head(connection)
            for record in records:
                entry, canonical = seal(record, actor, at, after)
                entries.append(entry)
                rows.append({"seq": entry.seq, "hash": entry.hash, "canonical": canonical})
                after = Head(entry.seq, entry.hash)
            if rows:
                connection.execute(insert(journal), rows)
        return tuple(entries)

    def entries(self, after: int = 0, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        """The entries after number `after`, in order; with `kinds`, only those.

        Raises OnboardError at an entry that can't be read or stands in another's place: somebody tampered with it.
        """
        while rows := self._page(after):
            for place, claimed, canonical in rows:
                entry = read(canonical, claimed, place)
                if entry.seq != place:
                    moved = f"entry {entry.seq} stands in the place of entry {place}"
                    raise OnboardError(f"entry {min(place, entry.seq)}: was removed, inserted or moved; {moved}")
                if kinds is None or entry.kind in kinds:
                    yield entry
            after = rows[-1][0]

    def _page(self, after: int) -> list[tuple[int, str, bytes]]:
        columns = select(journal.c.seq, journal.c.hash, journal.c.canonical)
        with self._database.reading() as connection:
            rows = connection.execute(columns.where(journal.c.seq > after).order_by(journal.c.seq).limit(PAGE))
            return [(row.seq, row.hash, row.canonical) for row in rows]

    def head(self) -> Head:
        """The last entry's number and hash."""
        with self._database.reading() as connection:
            return _head(connection)


def _head(connection: Connection) -> Head:
    last = select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)
    row = connection.execute(last).first()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)
